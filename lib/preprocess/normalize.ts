// Numbers of an array brought to the range that a model wants, within its graph: x comes as it is stored, such as the bytes of
// images, and becomes (x / divide − mean) / deviation.
import { ArgumentError, ShapeError } from "../errors.js";
import { array, showShape, type Shape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";

/** The rule that turns stored numbers into those that a model computes with; part of the model's graph when it is saved. */
export interface NormalizePreprocessing {
  readonly kind: "normalize";
  /** Where the channels of an image are: `"NHWC"` moves them to the front. Default: x is not an image, or `"NCHW"`. */
  readonly layout?: "NCHW" | "NHWC";
  /** All numbers are divided by it first; 255 makes bytes numbers from 0 to 1. */
  readonly divide?: number;
  /** Subtracted then: one number a channel (with a `layout`) or a feature (the last dimension). */
  readonly mean?: readonly number[];
  /** Divided by then, as `mean`. */
  readonly deviation?: readonly number[];
}

/**
 * What the model computes with, of x as it is stored. x [N, …] of any element type → f32
 *
 * @throws ShapeError if x has another number of channels or features than the rule
 */
export function normalize(rule: NormalizePreprocessing, x: Tensor): Tensor {
  const { layout, divide, mean, deviation } = rule;
  if (layout !== undefined && x.rank !== 4) {
    throw new ShapeError(
      `preprocessing: expected images [N, ${layout.slice(1).split("").join(", ")}], got ${showShape(x.shape)}`,
    );
  }
  let y = x.dtype === "f32" ? x : x.cast("f32");
  if (layout === "NHWC") y = y.transpose([0, 3, 1, 2]);
  if (divide !== undefined && divide !== 1) y = y.div(divide);
  if (mean) y = y.sub(y.trace.constant(along(mean, y.shape, layout)));
  if (deviation) y = y.div(y.trace.constant(along(deviation, y.shape, layout)));
  return y;
}

// One value a channel [C, 1, 1], or a feature [F].
function along(values: readonly number[], shape: Shape, layout: NormalizePreprocessing["layout"]) {
  const extent = layout === undefined ? shape.at(-1) : shape[1];
  if (extent !== values.length) {
    throw new ShapeError(
      `preprocessing: the rule has ${values.length} ${layout === undefined ? "features" : "channels"}, got ${showShape(shape)}`,
    );
  }
  return array(Float32Array.from(values), layout === undefined ? [values.length] : [values.length, 1, 1]);
}

/** @throws ArgumentError for numbers that a rule cannot have */
export function checkNormalize(where: string, rule: NormalizePreprocessing): void {
  const { divide, mean, deviation, layout } = rule;
  const wrong = (what: string) => new ArgumentError(`${where}: ${what}`);
  if (layout !== undefined && layout !== "NCHW" && layout !== "NHWC") {
    throw wrong(`layout must be "NCHW" or "NHWC", got ${JSON.stringify(layout)}`);
  }
  if (
    divide !== undefined &&
    !(typeof divide === "number" && Math.fround(divide) > 0 && Number.isFinite(Math.fround(divide)))
  ) {
    throw wrong(`divide must be a number above 0, got ${String(divide)}`);
  }
  for (const [name, values] of Object.entries({ mean, deviation })) {
    if (values === undefined) continue;
    const good = (value: unknown) => {
      return (
        typeof value === "number" && Number.isFinite(Math.fround(value)) && (name === "mean" || Math.fround(value) > 0)
      );
    };
    if (Array.isArray(values) && values.length > 0 && values.every(good)) continue;
    throw wrong(
      `${name} must be a list of finite numbers${name === "mean" ? "" : " above 0"}, got ${JSON.stringify(values)}`,
    );
  }
}
