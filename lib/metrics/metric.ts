// What a metric is, and the checks that all share. A metric is a recipe without state: `start()` gives one accumulator a
// pass over the data, so that one metric object serves many runs at once and nothing has to be reset.

import { requireArray, requireFields } from "../guidance/arguments.js";
import { ArgumentError, checkOptions, DTypeError, ShapeError } from "../errors.js";
import { got } from "../names/got.js";
import type { NdArray } from "../tensor/nd-array.js";

/**
 * A number that says how good a model is over a data set, fed batch by batch.
 *
 * `predictions` and `targets` are host arrays. For the classification metrics they are scores (logits or probabilities)
 * `[…, C]` and integer labels `[…]`; for the regression metrics two arrays of one shape.
 */
export interface Metric<Result = number> {
  readonly name: string;
  /** Which way is better; early stopping and best-checkpoint rules read it. */
  readonly better: "higher" | "lower";
  /** A fresh accumulator for one pass over the data. */
  start(): Accumulator<Result>;
}

/** What every metric of labels takes. */
export interface IgnoreOption {
  /**
   * A label whose samples do not count, whatever their scores; as in the loss of the same run. If it is the label of all samples, the
   * result is NaN. Default none.
   */
  readonly ignoreIndex?: number | undefined;
}

/** The label that options say to pass over. @throws ArgumentError for options that are not known, and labels that cannot be. */
export function ignoredLabel(where: string, options: IgnoreOption, known: readonly string[] = []): number | undefined {
  checkOptions(where, options, ["ignoreIndex", ...known]);
  const { ignoreIndex } = options;
  if (ignoreIndex === undefined || Number.isSafeInteger(ignoreIndex)) return ignoreIndex;
  throw new ArgumentError(`${where}: ignoreIndex must be a whole number, got ${got(ignoreIndex)}`);
}

/** One pass of a {@link Metric}. */
export interface Accumulator<Result = number> {
  /** Takes in a batch. */
  update(predictions: NdArray, targets: NdArray): void;
  /** The value over all batches so far; `NaN` before the first sample that counts. */
  result(): Result;
}

/**
 * A metric over arrays that are already at hand.
 *
 * @example
 * metrics.evaluate(metrics.mae(), array([1, 2, 3], [3]), array([1, 1, 1], [3])); // 1
 */
export function evaluate<Result>(metric: Metric<Result>, predictions: NdArray, targets: NdArray): Result {
  requireFields("metrics.evaluate", metric, ["start"], "a metric such as metrics.accuracy()");
  requireArray("metrics.evaluate", "predictions", predictions);
  requireArray("metrics.evaluate", "targets", targets);
  const pass = metric.start();
  pass.update(predictions, targets);
  return pass.result();
}

/** Checks scores `[…, C]` against labels `[…]`; returns the number of samples and classes. */
export function classShape(
  where: string,
  predictions: NdArray,
  targets: NdArray,
): { samples: number; classes: number } {
  const classes = predictions.shape.at(-1) ?? 0;
  const lead = predictions.shape.slice(0, -1);
  const same = lead.length === targets.shape.length && lead.every((size, i) => size === targets.shape[i]);
  if (predictions.shape.length < 2 || classes < 2 || !same) {
    const one = classes === 1 || predictions.shape.length === 1;
    const column = targets.shape.at(-1) === 1 && targets.shape.length === predictions.shape.length;
    const way = one
      ? "; for one score a sample give a threshold (metrics.binaryAccuracy), for numbers use metrics.mae() or metrics.r2()"
      : column
        ? "; reshape the labels to [n]"
        : "";
    throw new ShapeError(
      `${where}: expected scores [n, classes] and labels [n], got [${predictions.shape.join(", ")}] and [${targets.shape.join(", ")}]${way}`,
    );
  }
  requireNumbers(where, predictions, targets);
  return { samples: targets.data.length, classes };
}

// [n, 1] stands for [n], as in losses.
const columnOf = (column: readonly number[], list: readonly number[]): boolean =>
  list.length === 1 && column.length === 2 && column[1] === 1 && column[0] === list[0];

/** The last extent of an array. */
export const lastDimension = ({ shape }: NdArray): number => shape.at(-1) ?? 1;

/** Checks that two arrays have one shape, or are a list and a column; returns the number of elements. */
export function oneShape(where: string, predictions: NdArray, targets: NdArray): number {
  const [a, b] = [predictions.shape, targets.shape];
  requireNumbers(where, predictions, targets);
  if (a.length === b.length && a.every((size, i) => size === b[i])) return predictions.data.length;
  if (columnOf(a, b) || columnOf(b, a)) return predictions.data.length;
  const hint = predictions.data.length === targets.data.length ? "; reshape one of them" : "";
  throw new ShapeError(
    `${where}: predictions and targets must have one shape, got [${a.join(", ")}] and [${b.join(", ")}]${hint}`,
  );
}

// The elements of bf16 are bits.
function requireNumbers(where: string, ...arrays: readonly NdArray[]): void {
  if (!arrays.some(({ dtype }) => dtype === "bf16")) return;
  throw new DTypeError(`${where}: takes numbers, got bf16; cast("f32") them at the end of the model`);
}

/** The label of sample `i`, checked to be one of the classes. @throws ArgumentError */
export function labelAt(where: string, targets: NdArray, i: number, classes: number): number {
  const label = targets.data[i]!;
  if (Number.isInteger(label) && label >= 0 && label < classes) return label;
  throw new ArgumentError(
    `${where}: label ${label} at sample ${i} is outside the ${classes} classes of the scores, expected an integer from 0 to ${classes - 1}${label < 0 ? `; { ignoreIndex: ${label} } leaves such samples out` : ""}`,
  );
}

/** Index of the largest of the `classes` scores of sample `i`, the first on a tie; −1 if one is NaN. */
export function argmaxAt(predictions: NdArray, i: number, classes: number): number {
  const { data } = predictions;
  const row = i * classes;
  let best = 0;
  for (let c = 0; c < classes; c++) {
    if (Number.isNaN(data[row + c])) return -1;
    if (data[row + c]! > data[row + best]!) best = c;
  }
  return best;
}
