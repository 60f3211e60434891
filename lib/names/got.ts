// What came where something else was expected, for the end of an error's sentence. Values are named, not printed: a sentence that
// ends in ten thousand numbers, or in "[object Object]", helps nobody.

/**
 * A value in a few words, with the way out where its kind alone tells it.
 *
 * @example
 * got("adam"); // '"adam"'
 * got([[1, 2], [3, 4]]); // "nested arrays of 2 rows"
 * got(Promise.resolve(1)); // "a Promise; await it first"
 */
export function got(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return functionName(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (typeof (value as { then?: unknown }).then === "function") return "a Promise; await it first";
  if (Array.isArray(value)) return listName(value);
  return objectName(value);
}

function functionName(f: { readonly name?: unknown }): string {
  const name = typeof f.name === "string" && f.name !== "" ? ` ${f.name}` : "";
  return `${isClass(f) ? "the class" : name === "" ? "a function" : "the function"}${name}`;
}

/** Whether a function is a class: it cannot be called. */
export function isClass(f: unknown): boolean {
  return typeof f === "function" && /^class\b/.test(Function.prototype.toString.call(f));
}

function listName(list: readonly unknown[]): string {
  if (list.length === 0) return "an empty array";
  const [first] = list;
  if (Array.isArray(first) || ArrayBuffer.isView(first)) {
    return `nested arrays of ${list.length} ${list.length === 1 ? "row" : "rows"}`;
  }
  const kind = typeof first === "object" && first !== null ? nameOf(first) : typeof first;
  const one = kind === "Object" ? "object" : kind;
  return `an array of ${list.length} ${one}${list.length === 1 || one.endsWith("s") ? "" : "s"}`;
}

function objectName(value: object): string {
  if (ArrayBuffer.isView(value) && "length" in value) return `a ${nameOf(value)} of ${String(value.length)}`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return recordName(value);
  const { dtype, shape } = value as { dtype?: unknown; shape?: unknown };
  const typed = typeof dtype === "string" && Array.isArray(shape) ? ` ${dtype} [${shape.join(", ")}]` : "";
  const name = nameOf(value);
  return `${/^(?:[AEIO]|Nd)/.test(name) ? "an" : "a"} ${name}${typed}`;
}

function recordName(value: object): string {
  const keys = Object.keys(value);
  if (keys.length === 0) return "an empty object";
  return `{ ${keys.slice(0, 6).join(", ")}${keys.length > 6 ? ", …" : ""} }`;
}

const nameOf = (value: object): string => {
  const name: unknown = (value.constructor as { name?: unknown } | undefined)?.name;
  return typeof name === "string" && name !== "" ? name : "object";
};
