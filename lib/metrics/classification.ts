// Accuracy, top-k accuracy, and what a confusion matrix yields: precision, recall and F1, each the plain mean over classes
// ("macro"), with 0 for a class never predicted (precision) or never seen (recall), as scikit-learn has it.

import { requireCount } from "../guidance/arguments.js";
import { ArgumentError } from "../errors.js";
import type { NdArray } from "../tensor/nd-array.js";
import { fromCounts, type BinaryCounts, type ThresholdOption } from "./binary.js";
import { argmaxAt, classShape, ignoredLabel, labelAt, type IgnoreOption, type Metric } from "./metric.js";

/** Options of metrics that are of classes, or with a threshold of class 1 by one score a sample. */
export interface ClassOptions extends IgnoreOption {
  /** A score above it is a yes: 0 for scores as `loss.bceWithLogits` takes them, 0.5 for probabilities. Default none: scores of classes. */
  readonly threshold?: number | undefined;
}

/**
 * Share of samples whose largest score is at the label; a sample with a NaN score counts as wrong.
 *
 * @throws ShapeError unless scores are `[…, C]` and labels `[…]`; ArgumentError for a label outside the classes.
 * @example
 * metrics.evaluate(metrics.accuracy(), array([0.1, 0.9, 0.8, 0.2], [2, 2]), array(Uint8Array.of(1, 1), [2])); // 0.5
 * metrics.accuracy({ ignoreIndex: -1 }); // beside loss.crossEntropy({ ignoreIndex: -1 })
 */
export function accuracy(options: IgnoreOption = {}): Metric {
  const where = "metrics.accuracy";
  return shareOf(
    where,
    "accuracy",
    options,
    (predictions, i, label, classes) => argmaxAt(predictions, i, classes) === label,
  );
}

/**
 * Share of samples whose label is among the `k` largest scores; on ties the lower class counts as larger.
 *
 * @throws ArgumentError if `k` is not a whole number from 1 on.
 */
export function topK(k: number, options: IgnoreOption = {}): Metric {
  const where = "metrics.topK";
  requireCount(where, "k", k);
  return shareOf(where, `top${k}`, options, ({ data }, i, label, classes) => {
    const row = i * classes;
    const score = data[row + label]!;
    let ahead = 0;
    for (let c = 0; c < classes; c++) {
      const other = data[row + c]!;
      if (Number.isNaN(other)) return false;
      if (other > score || (other === score && c < label)) ahead++;
    }
    return ahead < k;
  });
}

/** Counts of (label, predicted class) pairs, and what follows from them. */
export interface Confusion {
  readonly classes: number;
  /** `counts[label * classes + predicted]`, row-major. */
  readonly counts: Float64Array;
}

/**
 * How often each class was taken for each: rows are labels, columns predictions. All counts are 0 where every label is ignored.
 *
 * @throws ArgumentError for a label outside the classes or a NaN score, which is no prediction.
 * @example
 * const { counts, classes } = metrics.evaluate(metrics.confusionMatrix(), scores, truth);
 */
export function confusionMatrix(options: IgnoreOption = {}): Metric<Confusion> {
  return fromConfusion("metrics.confusionMatrix", "confusion", options, (confusion) => confusion);
}

/**
 * (predicted rightly) / (predicted): the plain mean over classes; with a threshold, of class 1 by one score a sample.
 *
 * @throws ArgumentError; ShapeError.
 */
export function precision(options: ClassOptions = {}): Metric {
  const where = "metrics.precision";
  if (hasThreshold(where, options)) {
    const of = ({ truePositive: hit, falsePositive }: BinaryCounts) => ratio(hit, hit + falsePositive);
    return fromCounts(where, "precision", options, of);
  }
  return fromConfusion(where, "precision", options, (confusion) =>
    macro(confusion, ({ hit, predicted }) => ratio(hit, predicted)),
  );
}

/**
 * (predicted rightly) / (occurring): the plain mean over classes; with a threshold, of class 1 by one score a sample.
 *
 * @throws ArgumentError; ShapeError.
 */
export function recall(options: ClassOptions = {}): Metric {
  const where = "metrics.recall";
  if (hasThreshold(where, options)) {
    const of = ({ truePositive: hit, falseNegative }: BinaryCounts) => ratio(hit, hit + falseNegative);
    return fromCounts(where, "recall", options, of);
  }
  return fromConfusion(where, "recall", options, (confusion) => macro(confusion, ({ hit, seen }) => ratio(hit, seen)));
}

/**
 * The harmonic mean of precision and recall: the plain mean over classes; with a threshold, of class 1 by one score a sample.
 *
 * @throws ArgumentError; ShapeError.
 */
export function f1(options: ClassOptions = {}): Metric {
  const where = "metrics.f1";
  if (hasThreshold(where, options)) {
    const of = ({ truePositive: hit, falsePositive, falseNegative }: BinaryCounts) =>
      ratio(2 * hit, 2 * hit + falsePositive + falseNegative);
    return fromCounts(where, "f1", options, of);
  }
  return fromConfusion(where, "f1", options, (confusion) =>
    macro(confusion, ({ hit, predicted, seen }) => ratio(2 * hit, predicted + seen)),
  );
}

function hasThreshold(where: string, options: ClassOptions): options is ThresholdOption {
  ignoredLabel(where, options, ["threshold"]);
  return "threshold" in options; // one that is undefined is a mistake, which fromCounts says
}

type Judge = (predictions: NdArray, i: number, label: number, classes: number) => boolean;

function shareOf(where: string, name: string, options: IgnoreOption, right: Judge): Metric {
  const ignoreIndex = ignoredLabel(where, options);
  return {
    name,
    better: "higher",
    start() {
      let hits = 0;
      let seen = 0;
      return {
        update(predictions, targets) {
          const { samples, classes } = classShape(where, predictions, targets);
          for (let i = 0; i < samples; i++) {
            if (targets.data[i] === ignoreIndex) continue;
            if (right(predictions, i, labelAt(where, targets, i, classes), classes)) hits++;
            seen++;
          }
        },
        result: () => hits / seen,
      };
    },
  };
}

function fromConfusion<Result>(
  where: string,
  name: string,
  options: IgnoreOption,
  read: (confusion: Confusion) => Result,
): Metric<Result> {
  const ignoreIndex = ignoredLabel(where, options);
  return {
    name,
    better: "higher",
    start() {
      let classes = 0;
      let counts = new Float64Array(0);
      return {
        update(predictions, targets) {
          const shape = classShape(where, predictions, targets);
          if (classes === 0) {
            classes = shape.classes;
            counts = new Float64Array(classes * classes); // (C, C)
          } else if (classes !== shape.classes) {
            throw new ArgumentError(
              `${where}: expected scores of ${classes} classes as in earlier batches, got ${shape.classes}`,
            );
          }
          for (let i = 0; i < shape.samples; i++) {
            if (targets.data[i] === ignoreIndex) continue;
            const label = labelAt(where, targets, i, classes);
            const predicted = argmaxAt(predictions, i, classes);
            if (predicted < 0)
              throw new ArgumentError(`${where}: the scores of sample ${i} hold NaN, which is no prediction`);
            counts[label * classes + predicted]!++;
          }
        },
        result: () => read({ classes, counts }),
      };
    },
  };
}

interface ClassCounts {
  /** Samples of the class predicted as such. */
  readonly hit: number;
  readonly predicted: number;
  readonly seen: number;
}

/** Mean over the classes that occur, as label or as prediction. */
function macro({ classes, counts }: Confusion, score: (counts: ClassCounts) => number): number {
  let sum = 0;
  let present = 0;
  for (let c = 0; c < classes; c++) {
    let predicted = 0;
    let seen = 0;
    for (let other = 0; other < classes; other++) {
      predicted += counts[other * classes + c]!;
      seen += counts[c * classes + other]!;
    }
    if (predicted + seen === 0) continue;
    present++;
    sum += score({ hit: counts[c * classes + c]!, predicted, seen });
  }
  return sum / present;
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
