// What stands where samples { x, y } should, and what to write instead: a table, both parts of a data set, lists of objects, bare
// arrays.
import { ArgumentError } from "../errors.js";
import { got } from "../names/got.js";
import { NdArray, showShape } from "../tensor/nd-array.js";

/**
 * Checks that `samples` is an object with the arrays x and y.
 *
 * @throws ArgumentError
 */
export function requireSamples(where: string, samples: unknown): void {
  const { x, y } = (samples ?? {}) as { readonly x?: unknown; readonly y?: unknown };
  if (x instanceof NdArray && y instanceof NdArray) return;
  throw new ArgumentError(
    `${where}: expected samples { x, y } made by array(values, shape), got ${described(samples)}; ${samplesInstead(samples)}`,
  );
}

function described(samples: unknown): string {
  const { x, y } = (samples ?? {}) as { readonly x?: unknown; readonly y?: unknown };
  if (x === undefined || y === undefined || samples instanceof NdArray) return got(samples).replace(/; .*$/, "");
  return `{ x: ${got(x)}, y: ${got(y)} }`;
}

function samplesInstead(samples: unknown): string {
  if (samples === undefined)
    return "if it is part of what a Promise gives, await that first: (await data.mnist()).train";
  if (typeof samples !== "object" || samples === null)
    return "write { x: array(values, [n, …]), y: array(labels, [n]) }";
  if ("then" in samples) return "await it first: const digits = await data.mnist()";
  if (samples instanceof NdArray) return "both go in as one object: { x, y }";
  if (Array.isArray(samples)) return listInstead(samples);
  if ("samples" in samples) return "a table of data.csv has them under samples: table.samples";
  if ("train" in samples) return "take one part: digits.train";
  if ("x" in samples && "y" in samples) return arrayInstead(samples.x) ?? arrayInstead(samples.y) ?? "";
  if ("x" in samples) return "y is missing: { x, y: array(labels, [n]) }";
  const [first = "features", second = "labels"] = Object.keys(samples);
  return `name the two arrays x and y: { x: ${first}, y: ${second} }`;
}

function listInstead(list: readonly unknown[]): string {
  if (list.length === 2 && list.every((item) => item instanceof NdArray)) return "write { x, y } instead of [x, y]";
  const [first] = list as readonly [Record<string, unknown>?];
  const keys = typeof first === "object" && first !== null ? Object.keys(first) : [];
  const [x = "x", y = "y"] = keys;
  return `put all samples into one array each: { x: array(rows.flatMap((row) => row.${x}), [n, features]), y: array(rows.map((row) => row.${y}), [n]) }`;
}

function arrayInstead(value: unknown): string | undefined {
  if (value instanceof NdArray) return undefined;
  if (Array.isArray(value) && Array.isArray(value[0])) {
    return `flatten it and give the shape: array(rows.flat(), ${showShape([value.length, value[0].length])})`;
  }
  if (ArrayBuffer.isView(value)) return "give it a shape: array(values, [n, features])";
  return Array.isArray(value) ? "wrap it: array(values, [n, …])" : "make it with array(values, shape)";
}
