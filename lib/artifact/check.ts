// What save is given, checked so that whatever it writes can be loaded.
import { ArgumentError } from "../errors.js";
import { dtypes, type DType } from "../tensor/dtype.js";
import type { InputSignature } from "../tensor/signature.js";

/** @throws ArgumentError unless it is an object of text by name. */
export function checkMetadata(where: string, metadata: unknown): Readonly<Record<string, string>> {
  const plain = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata);
  const prototype: unknown = plain ? Object.getPrototypeOf(metadata) : undefined;
  if (!plain || (prototype !== Object.prototype && prototype !== null)) {
    throw new ArgumentError(
      `${where}: metadata must be an object of texts by name, such as { author: "me" }, got ${kindOf(metadata)}`,
    );
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value === "string") continue;
    throw new ArgumentError(
      `${where}: metadata ${JSON.stringify(name)} must be text, got ${kindOf(value)}; give String(value), or JSON.stringify(value) and JSON.parse it after loading`,
    );
  }
  return { ...(metadata as Record<string, string>) };
}

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

function kindOf(value: unknown): string {
  if (value === null || typeof value !== "object") return typeof value === "string" ? "a string" : String(value);
  if (Array.isArray(value)) return "an array";
  const { constructor } = value as { constructor?: { name?: string } };
  return constructor === undefined || constructor === Object ? "an object" : `a ${constructor.name ?? "value"}`;
}
