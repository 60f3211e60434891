// Encodings that models ask for: one-hot targets, features of mean 0 and deviation 1.

import { ArgumentError, ShapeError } from "../errors.js";
import { NdArray } from "../tensor/nd-array.js";
import { assertLabels } from "./check.js";

/**
 * Labels `[n]` as rows `[n, classes]` (f32) with a 1 at the label.
 *
 * @throws ArgumentError for a label outside the classes.
 */
export function oneHot(labels: NdArray, classes: number): NdArray {
  const where = "data.oneHot";
  if (!Number.isInteger(classes) || classes < 1) {
    throw new ArgumentError(`${where}: classes must be a whole number from 1 on, got ${classes}`);
  }
  assertLabels(where, labels, classes);
  const rows = new Float32Array(labels.data.length * classes); // (n, C)
  labels.data.forEach((label, i) => (rows[i * classes + label] = 1));
  return new NdArray(rows, [...labels.shape, classes], "f32");
}

/** Means and deviations of the features of a training set, to be applied to every set that a model sees. */
export interface Standardizer {
  readonly mean: Float64Array;
  /** Population deviation; 1 for a feature that never changes. */
  readonly deviation: Float64Array;
  /** `(x − mean) / deviation`, a new f32 array. */
  apply(x: NdArray): NdArray;
}

/**
 * Learns mean and deviation of each feature (last dimension) of `x` `[n, …, F]`.
 *
 * @throws ShapeError if `x` is empty, or `apply` gets another number of features.
 * @example
 * const scale = data.standardizer(set.train.x);
 * const train = data.fromArrays({ x: scale.apply(set.train.x), y: set.train.y });
 */
export function standardizer(x: NdArray): Standardizer {
  const features = x.shape.at(-1) ?? 0;
  const rows = features === 0 ? 0 : x.data.length / features;
  if (rows === 0)
    throw new ShapeError(`data.standardizer: expected samples [n, features], got [${x.shape.join(", ")}]`);
  const mean = new Float64Array(features);
  const deviation = new Float64Array(features);
  x.data.forEach((value, i) => (mean[i % features]! += value / rows));
  // A second pass over differences: squares of large values would cancel in the first.
  x.data.forEach((value, i) => (deviation[i % features]! += (value - mean[i % features]!) ** 2 / rows));
  for (let f = 0; f < features; f++) deviation[f] = Math.sqrt(deviation[f]!) || 1;
  return {
    mean,
    deviation,
    apply(other) {
      if (other.shape.at(-1) !== features) {
        throw new ShapeError(
          `data.standardizer: expected ${features} features in the last dimension, got [${other.shape.join(", ")}]`,
        );
      }
      const { data } = other;
      const scaled = new Float32Array(data.length);
      for (let i = 0; i < data.length; i++) scaled[i] = (data[i]! - mean[i % features]!) / deviation[i % features]!;
      return new NdArray(scaled, other.shape, "f32");
    },
  };
}
