// What a model was last fed: training and prediction note it, so that saving needs no example input.
import type { DType } from "./dtype.js";
import type { Shape } from "./nd-array.js";
import { ArgumentError } from "../errors.js";
import { requireFields } from "../guidance/arguments.js";
import { got } from "../names/got.js";
import { requireDType } from "./dtype.js";

/** Element type and shape of one sample (without the batch dimension). */
export interface InputSignature {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Inputs by name, in the order in which the model's `forward` takes them. */
export type InputSignatures = Readonly<Record<string, InputSignature>>;

const signatures = new WeakMap<object, InputSignatures>();

/** Notes that `model` takes such inputs; one alone is called `x`. */
export function noteInput(model: object, signature: InputSignature): void {
  signatures.set(model, { x: signature });
}

/** Notes that `model` takes several inputs. */
export function noteInputs(model: object, inputs: InputSignatures): void {
  signatures.set(model, inputs);
}

/** What was noted last, if anything, for a model with one input. */
export function inputOf(model: object): InputSignature | undefined {
  const all = Object.values(signatures.get(model) ?? {});
  return all.length === 1 ? all[0] : undefined;
}

/** What was noted last, if anything. */
export function inputsOf(model: object): InputSignatures | undefined {
  return signatures.get(model);
}

/** @throws ArgumentError, DTypeError unless `input` says what one sample is */
export function requireSignature(where: string, input: unknown): void {
  const way = 'input must be what one sample is, such as { dtype: "f32", shape: [784] }';
  requireFields(where, input, ["dtype", "shape"], way);
  const { dtype, shape } = input as Partial<InputSignature>;
  requireDType(where, dtype);
  if (Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) return;
  throw new ArgumentError(`${where}: expected ${way}, got the shape ${got(shape)}`);
}
