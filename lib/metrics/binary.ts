// Metrics of yes-or-no answers: one score a sample. A score is either of any size (what `loss.bceWithLogits` trains) or a
// probability (what `loss.bce` trains), and nothing in the numbers tells which for certain: the threshold says it.
import { ArgumentError, ShapeError } from "../errors.js";
import { got } from "../names/got.js";
import { countOf, showShape, type NdArray } from "../tensor/nd-array.js";
import { ignoredLabel, type IgnoreOption, type Metric } from "./metric.js";

/** Options of metrics of yes-or-no answers. */
export interface ThresholdOption extends IgnoreOption {
  /** A score above it is a yes: 0 for scores as `loss.bceWithLogits` takes them, 0.5 for probabilities. */
  readonly threshold: number;
}

/** Counts of answers, by truth. */
export interface BinaryCounts {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly trueNegative: number;
  readonly falseNegative: number;
}

/**
 * Share of samples on the right side of the threshold. Scores `[n]` or `[n, 1]`, labels 0 and 1 of either shape; a NaN score is
 * wrong. As scikit-learn's `accuracy_score(y, scores > threshold)`.
 *
 * @throws ArgumentError without a threshold, and for labels that are neither 0 nor 1; ShapeError.
 * @example
 * const scores = array([2, -1, 3], [3, 1]); // of a model trained by loss.bceWithLogits()
 * metrics.evaluate(metrics.binaryAccuracy({ threshold: 0 }), scores, array(Uint8Array.of(1, 1, 1))); // 0.666…
 */
export function binaryAccuracy(options: ThresholdOption): Metric {
  const where = "metrics.binaryAccuracy";
  return fromCounts(where, "binaryAccuracy", options, ({ truePositive, trueNegative }, samples) => {
    return (truePositive + trueNegative) / samples;
  });
}

/** A metric of the counts on both sides of a threshold; NaN without a sample that counts. @throws ArgumentError */
export function fromCounts(
  where: string,
  name: string,
  options: ThresholdOption,
  read: (counts: BinaryCounts, samples: number) => number,
): Metric {
  const threshold = requireThreshold(where, options);
  const { ignoreIndex } = options;
  return {
    name,
    better: "higher",
    start() {
      let samples = 0;
      const counts = { truePositive: 0, falsePositive: 0, trueNegative: 0, falseNegative: 0 };
      return {
        update(predictions, targets) {
          const count = oneScore(where, predictions, targets);
          for (let i = 0; i < count; i++) {
            if (targets.data[i] === ignoreIndex) continue;
            const truth = answerAt(where, targets, i);
            samples++;
            const score = predictions.data[i]!;
            if (Number.isNaN(score)) counts[truth ? "falseNegative" : "falsePositive"]++;
            else if (score > threshold) counts[truth ? "truePositive" : "falsePositive"]++;
            else counts[truth ? "falseNegative" : "trueNegative"]++;
          }
        },
        result: () => (samples === 0 ? NaN : read(counts, samples)),
      };
    },
  };
}

function requireThreshold(where: string, options: unknown): number {
  if (options !== undefined) ignoredLabel(where, options as object, ["threshold"]);
  const { threshold } = (options ?? {}) as Partial<ThresholdOption>;
  if (typeof threshold === "number" && Number.isFinite(threshold)) return threshold;
  throw new ArgumentError(
    `${where}: threshold must be a finite number, got ${got(threshold)}; write { threshold: 0 } for scores (loss.bceWithLogits), { threshold: 0.5 } for probabilities`,
  );
}

/**
 * Area under the curve of true against false positives: the probability that a sample of class 1 has a higher score than one of
 * class 0, where equal scores count half (Mann and Whitney 1947). Exact over the whole set, whatever the batches; it keeps 8 bytes
 * a sample. Scores `[n]`, `[n, 1]` or `[n, 2]` of any scale, labels 0 and 1; NaN while a class is missing. As scikit-learn's
 * `roc_auc_score`.
 *
 * @throws ArgumentError for labels that are neither 0 nor 1 and for NaN scores; ShapeError.
 * @example
 * const scores = array([0.1, 0.4, 0.35, 0.8]);
 * metrics.evaluate(metrics.rocAuc(), scores, array(Uint8Array.of(0, 0, 1, 1))); // 0.75
 */
export function rocAuc(options: IgnoreOption = {}): Metric {
  const where = "metrics.rocAuc";
  const ignoreIndex = ignoredLabel(where, options);
  return {
    name: "rocAuc",
    better: "higher",
    start() {
      const sides: [negative: Scores, positive: Scores] = [new Scores(), new Scores()];
      return {
        update(predictions, targets) {
          const two = predictions.shape.length === 2 && predictions.shape[1] === 2;
          const count = two ? pairs(where, predictions, targets) : oneScore(where, predictions, targets);
          for (let i = 0; i < count; i++) {
            if (targets.data[i] === ignoreIndex) continue;
            const score = two ? predictions.data[2 * i + 1]! - predictions.data[2 * i]! : predictions.data[i]!;
            if (Number.isNaN(score))
              throw new ArgumentError(`${where}: the score of sample ${i} is NaN, which has no rank`);
            sides[answerAt(where, targets, i)].push(score);
          }
        },
        result: () => shareAbove(sides[1].sorted(), sides[0].sorted()),
      };
    },
  };
}

// Scores in a buffer that grows.
class Scores {
  private values = new Float64Array(256);
  private length = 0;

  push(score: number): void {
    if (this.length === this.values.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = score;
  }

  sorted(): Float64Array {
    return this.values.slice(0, this.length).sort();
  }
}

// Pairs in which the positive is above the negative, equal ones by half, as a share of all.
function shareAbove(positive: Float64Array, negative: Float64Array): number {
  let [below, notAbove, won] = [0, 0, 0];
  for (const score of positive) {
    while (below < negative.length && negative[below]! < score) below++;
    notAbove = Math.max(notAbove, below);
    while (notAbove < negative.length && negative[notAbove]! <= score) notAbove++;
    won += below + (notAbove - below) / 2;
  }
  return won / (positive.length * negative.length);
}

// One score for each label: [n] or [n, 1], of both.
function oneScore(where: string, predictions: NdArray, targets: NdArray): number {
  const bare = ({ shape }: NdArray) => (shape.at(-1) === 1 && shape.length > 1 ? shape.slice(0, -1) : shape);
  if (showShape(bare(predictions)) === showShape(bare(targets))) return countOf(targets.shape);
  const way =
    predictions.shape.length === 2 && predictions.shape[1]! > 1 ? "; for scores of classes use metrics.accuracy()" : "";
  throw new ShapeError(
    `${where}: expected one score a sample, [n] or [n, 1], and labels [n], got ${showShape(predictions.shape)} and ${showShape(targets.shape)}${way}`,
  );
}

function pairs(where: string, predictions: NdArray, targets: NdArray): number {
  if (targets.shape.length === 1 && targets.shape[0] === predictions.shape[0]) return targets.shape[0]!;
  throw new ShapeError(
    `${where}: expected labels [n] for scores of two classes [n, 2], got ${showShape(targets.shape)} and ${showShape(predictions.shape)}`,
  );
}

function answerAt(where: string, targets: NdArray, i: number): 0 | 1 {
  const label = targets.data[i]!;
  if (label === 0 || label === 1) return label;
  throw new ArgumentError(
    `${where}: label ${label} at sample ${i} is neither 0 nor 1, which answers of yes and no are; { ignoreIndex: ${label} } leaves such samples out`,
  );
}
