// Checks that several operations share.
import { ArgumentError } from "../errors.js";
import { uncalled } from "../guidance/factories.js";
import { got } from "../names/got.js";
import { NdArray } from "../tensor/nd-array.js";
import { Parameter } from "../tensor/parameter.js";
import { Tensor } from "../tensor/tensor.js";

/** What an operation takes beside its first tensor: anything that has a shape. */
export type Weight = Tensor | Parameter | NdArray;

/** @throws ArgumentError unless `value` is a tensor of a trace. */
export function requireTensor(where: string, name: string, value: unknown): asserts value is Tensor {
  if (value instanceof Tensor) return;
  throw new ArgumentError(`${where}: ${name} must be a Tensor, got ${got(value)}${tensorInstead(value)}`);
}

function tensorInstead(value: unknown): string {
  const made = uncalled(value);
  if (made !== undefined) return `; ${made}`;
  const inside = "wrap the call in compile((x) => …) and run that with an array";
  if (value instanceof NdArray || value instanceof Parameter) return `; ${inside}`;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return `; make it array(values, shape), and ${inside}`;
  return "";
}
