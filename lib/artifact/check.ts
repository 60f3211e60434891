// What save is given, checked so that whatever it writes can be loaded.
import { ArgumentError } from "../errors.js";
import { dtypes, type DType } from "../tensor/dtype.js";
import type { InputSignature } from "../tensor/signature.js";

/** @throws ArgumentError unless it is an element type and a shape. */
export function checkInput(where: string, input: unknown): InputSignature {
  const { dtype, shape } = (input ?? {}) as { dtype?: unknown; shape?: unknown };
  const known = (dtypes as readonly unknown[]).includes(dtype);
  const sizes = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
  if (known && sizes) return { dtype: dtype as DType, shape: shape as number[] };
  const got = known ? `shape ${JSON.stringify(shape) ?? "undefined"}` : `dtype ${JSON.stringify(dtype) ?? "undefined"}`;
  throw new ArgumentError(
    `${where}: input must be one sample's { dtype, shape }, such as { dtype: "f32", shape: [784] }, with one of the types ${dtypes.join(", ")} and whole sizes of 0 or more, got ${got}`,
  );
}
