// Text to keep with a model.
import { ArgumentError } from "../errors.js";

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

function kindOf(value: unknown): string {
  if (value === null || typeof value !== "object") return typeof value === "string" ? "a string" : String(value);
  if (Array.isArray(value)) return "an array";
  const { constructor } = value as { constructor?: { name?: string } };
  return constructor === undefined || constructor === Object ? "an object" : `a ${constructor.name ?? "value"}`;
}
