// Errors of numbers, over all elements and accumulated in float64.

import { lastDimension, oneShape, type Metric } from "./metric.js";

/**
 * Mean of the squared differences.
 *
 * @throws ShapeError if predictions and targets differ in shape; `[n, 1]` takes `[n]`.
 */
export function mse(): Metric {
  return meanOf("mse", (difference) => difference * difference);
}

/**
 * Root of the mean of the squared differences, in the unit of the target.
 *
 * @throws ShapeError if predictions and targets differ in shape; `[n, 1]` takes `[n]`.
 * @example
 * metrics.evaluate(metrics.rmse(), array([3, 4]), array([0, 0])); // 3.5355…
 */
export function rmse(): Metric {
  return meanOf("rmse", (difference) => difference * difference, Math.sqrt);
}

/**
 * Mean of the absolute differences.
 *
 * @throws ShapeError if predictions and targets differ in shape; `[n, 1]` takes `[n]`.
 */
export function mae(): Metric {
  return meanOf("mae", Math.abs);
}

/**
 * Coefficient of determination: 1 − Σ (y − prediction)² / Σ (y − mean of y)², over the whole set, whatever the batches. 1 is perfect,
 * 0 what the mean would reach. Of targets `[n, k]` the mean over the k columns; a constant column has 1 if it is met exactly, else
 * 0; NaN below two samples. As scikit-learn's `r2_score`.
 *
 * @throws ShapeError if predictions and targets differ in shape; `[n, 1]` takes `[n]`.
 * @example
 * metrics.evaluate(metrics.r2(), array([2.5, 0, 2, 8]), array([3, -0.5, 2, 7])); // 0.9486…
 */
export function r2(): Metric {
  return {
    name: "r2",
    better: "higher",
    start() {
      const columns: Spread[] = [];
      return {
        update(predictions, targets) {
          const count = oneShape("metrics.r2", predictions, targets);
          const width = predictions.shape.length > 1 ? lastDimension(predictions) : 1;
          for (let c = columns.length; c < width; c++) columns.push(new Spread());
          for (let i = 0; i < count; i++) columns[i % width]!.add(predictions.data[i]!, targets.data[i]!);
        },
        result: () => columns.reduce((sum, column) => sum + column.r2(), 0) / columns.length,
      };
    },
  };
}

// Squares around the running mean (Welford 1962), which do not cancel where the mean is far from 0.
class Spread {
  private count = 0;
  private mean = 0;
  private total = 0;
  private residual = 0;

  add(prediction: number, truth: number): void {
    this.count++;
    const before = truth - this.mean;
    this.mean += before / this.count;
    this.total += before * (truth - this.mean);
    this.residual += (truth - prediction) ** 2;
  }

  r2(): number {
    if (this.count < 2 || Number.isNaN(this.residual)) return NaN;
    if (this.total === 0) return this.residual === 0 ? 1 : 0;
    return 1 - this.residual / this.total;
  }
}

function meanOf(name: string, penalty: (difference: number) => number, last = (mean: number) => mean): Metric {
  return {
    name,
    better: "lower",
    start() {
      let sum = 0;
      let seen = 0;
      return {
        update(predictions, targets) {
          const count = oneShape(`metrics.${name}`, predictions, targets);
          for (let i = 0; i < count; i++) sum += penalty(predictions.data[i]! - targets.data[i]!);
          seen += count;
        },
        result: () => last(sum / seen),
      };
    },
  };
}
