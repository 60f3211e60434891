// Mean squared and mean absolute error over all elements, accumulated in float64.

import { oneShape, type Metric } from "./metric.js";

/**
 * Mean of the squared differences.
 *
 * @throws ShapeError if predictions and targets differ in shape.
 */
export function mse(): Metric {
  return meanOf("mse", (difference) => difference * difference);
}

/**
 * Mean of the absolute differences.
 *
 * @throws ShapeError if predictions and targets differ in shape.
 */
export function mae(): Metric {
  return meanOf("mae", Math.abs);
}

function meanOf(name: string, penalty: (difference: number) => number): Metric {
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
        result: () => sum / seen,
      };
    },
  };
}
