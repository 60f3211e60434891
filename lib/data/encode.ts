// Encodings that models ask for: one-hot targets, features of mean 0 and deviation 1.

import { requireArray, requireCount } from "../guidance/arguments.js";
import { ShapeError } from "../errors.js";
import { momentsOf, type NormalizePreprocessing } from "../preprocess/index.js";
import { NdArray } from "../tensor/nd-array.js";
import { assertLabels } from "./check.js";

/**
 * Labels `[n]` as rows `[n, classes]` (f32) with a 1 at the label.
 *
 * @throws ArgumentError for a label outside the classes.
 */
export function oneHot(labels: NdArray, classes: number): NdArray {
  const where = "data.oneHot";
  requireCount(where, "classes", classes);
  requireArray(where, "labels", labels);
  assertLabels(where, labels, classes);
  const rows = new Float32Array(labels.data.length * classes); // (n, C)
  labels.numbers().forEach((label, i) => (rows[i * classes + label] = 1));
  return new NdArray(rows, [...labels.shape, classes], "f32");
}

/** Means and deviations of the features of a training set, to be applied to every set that a model sees. */
export interface Standardizer {
  readonly mean: Float64Array;
  /** Population deviation; 1 for a feature that never changes. */
  readonly deviation: Float64Array;
  /** `(x − mean) / deviation`, a new f32 array. */
  apply(x: NdArray): NdArray;
  /** The same as a rule of the model, which then takes x as it is: `data.fromArrays({ x, y }, { preprocessing })`. */
  readonly preprocessing: NormalizePreprocessing;
}

/**
 * Learns mean and deviation of each feature (last dimension) of `x` `[n, …, F]`.
 *
 * @throws ShapeError if `x` is empty, or `apply` gets another number of features.
 * @example
 * const scale = data.standardizer(set.train.x);
 * const { preprocessing } = scale; // saved with the model that is trained on it
 * const train = data.fromArrays(set.train, { preprocessing });
 */
export function standardizer(x: NdArray): Standardizer {
  requireArray("data.standardizer", "x", x);
  const features = x.shape.at(-1) ?? 0;
  const rows = features === 0 ? 0 : x.data.length / features;
  if (rows === 0)
    throw new ShapeError(`data.standardizer: expected samples [n, features], got [${x.shape.join(", ")}]`);
  const values = x.numbers();
  const moments = Array.from({ length: features }, (_, f) => momentsOf(values, f, features));
  const mean = Float64Array.from(moments, (column) => column.mean);
  const deviation = Float64Array.from(moments, (column) => column.deviation);
  return {
    mean,
    deviation,
    preprocessing: { kind: "normalize", mean: [...mean], deviation: [...deviation] },
    apply(other) {
      if (other.shape.at(-1) !== features) {
        throw new ShapeError(
          `data.standardizer: expected ${features} features in the last dimension, got [${other.shape.join(", ")}]`,
        );
      }
      const data = other.numbers();
      const scaled = new Float32Array(data.length);
      for (let i = 0; i < data.length; i++) scaled[i] = (data[i]! - mean[i % features]!) / deviation[i % features]!;
      return new NdArray(scaled, other.shape, "f32");
    },
  };
}
