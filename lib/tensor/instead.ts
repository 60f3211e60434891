// What to write instead of what newcomers write: methods that arrays and tensors have elsewhere, and arguments written as there.
import { ArgumentError } from "../errors.js";
import { got } from "../names/got.js";
import type { Axes, ReduceOptions } from "./tensor.js";

const values = "a value exists only when the compiled function runs: return the tensor, and read what run() gives";

/** Methods of tensors elsewhere, with what stands for them here. */
export const tensorMethodsElsewhere: Readonly<Record<string | symbol, string>> = {
  toArray: values,
  item: values,
  numpy: values,
  tolist: values,
  array: values,
  arraySync: values,
  dataSync: values,
  [Symbol.iterator]: values,
  backward:
    "write train.step(model, optimizer, ({ x, y }) => loss), which takes gradients and steps by itself, or grad(f) for gradients alone",
  detach: "write x.stopGradient()",
  view: "write x.reshape([rows, columns])",
  permute: "write x.transpose([0, 2, 1])",
  t: "write x.transpose()",
  unsqueeze: "write x.expandDims(axis)",
  dim: "write x.rank",
  size: "write x.shape",
  to: 'write x.cast("f32"); everything runs on the processor',
  float: 'write x.cast("f32")',
  long: 'write x.cast("i32")',
  astype: 'write x.cast("f32")',
  asType: 'write x.cast("f32")',
  dot: "write x.matmul(other)",
  mm: "write x.matmul(other)",
  std: "write x.variance().sqrt()",
  var: "write x.variance()",
  subtract: "write x.sub(other)",
  multiply: "write x.mul(other)",
  divide: "write x.div(other)",
  equal: "write x.eq(other)",
  greater: "write x.gt(other)",
  less: "write x.lt(other)",
  concat: "write ops.concat([x, other], axis)",
};

/** @throws ArgumentError unless `list` is one list of whole numbers, such as a shape or an order of axes. */
export function requireList(
  where: string,
  list: unknown,
  more: readonly unknown[] = [],
): asserts list is readonly number[] {
  if (Array.isArray(list) && list.every((extent) => Number.isSafeInteger(extent)) && more.length === 0) return;
  const all = [list, ...more];
  const way = all.every((extent) => typeof extent === "number") ? `; write ${where}([${all.join(", ")}])` : "";
  throw new ArgumentError(`${where}: expected one list of whole numbers, got ${all.map(got).join(", ")}${way}`);
}

/** Attributes of a reduction. @throws ArgumentError for axes and options that are none. */
export function reduceAttrs(
  where: string,
  axes: Axes | undefined,
  options: ReduceOptions,
): { axes?: readonly number[]; keep: boolean } {
  if (typeof options !== "object" || options === null || Object.keys(options).some((name) => name !== "keep")) {
    throw new ArgumentError(
      `${where}: the option is { keep: true }, to leave reduced axes with extent 1; got ${got(options)}`,
    );
  }
  const keep = options.keep ?? false;
  if (axes === undefined) return { keep };
  const list = typeof axes === "number" ? [axes] : axes;
  if (Array.isArray(list) && list.every((axis) => Number.isSafeInteger(axis)))
    return { axes: list as readonly number[], keep };
  throw new ArgumentError(
    `${where}: axes are a whole number or a list of them, such as ${where}(1) or ${where}([0, 1]), got ${got(axes)}`,
  );
}

/** Attributes of a slice. @throws ArgumentError for ranges that are none. */
export function sliceAttrs(
  shape: readonly number[],
  ranges: readonly unknown[],
): Record<"start" | "stop" | "step", number[]> {
  const wrong = ranges.find((range) => range !== null && range !== undefined && !isRange(range));
  if (wrong !== undefined) {
    const numbers = ranges.every((range) => typeof range === "number");
    throw new ArgumentError(
      `slice: each axis takes a range [start, stop] or [start, stop, step], or null for all of it, got ${got(wrong)}; write ${numbers ? `slice([${ranges.join(", ")}])` : "slice([0, 2], null)"}`,
    );
  }
  const full = shape.map((extent, axis) => (ranges[axis] ?? [0, extent]) as readonly number[]);
  return {
    start: full.map((range) => range[0]!),
    stop: full.map((range) => range[1]!),
    step: full.map((range) => range[2] ?? 1),
  };
}

const isRange = (range: unknown): boolean =>
  Array.isArray(range) &&
  (range.length === 2 || range.length === 3) &&
  range.every((bound) => Number.isSafeInteger(bound));

/** For what cannot be an operand: how to write it. */
export function operandInstead(value: unknown): string {
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return "; make it array(values, shape)";
  if (typeof value === "object" && value !== null && "forward" in value)
    return "; run the module first: module.forward(x)";
  if (typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value)))
    return `; write ${Number(value)}`;
  return "";
}
