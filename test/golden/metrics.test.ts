// Metrics beside scikit-learn: over the whole set, and over batches of every size, which must not matter.
import { describe, expect, it } from "vitest";
import * as metrics from "../../lib/metrics/index.js";
import { rowsOf } from "../../lib/data/rows.js";
import { array } from "../../lib/tensor/nd-array.js";
import { readGolden, type MetricCase } from "./read.js";

function metricOf({ metric, options }: MetricCase): metrics.Metric {
  if (metric === "topK") return metrics.topK(options as number);
  const make = metrics[metric] as (options?: unknown) => metrics.Metric;
  return options === null ? make() : make(options);
}

describe("metrics follow scikit-learn", () => {
  const { record, tensor } = readGolden("metrics");
  for (const golden of record.cases) {
    it(golden.name, () => {
      const arrayOf = (key: string) => array(tensor(key).data, tensor(key).shape);
      const metric = metricOf(golden);
      const predictions = arrayOf(golden.predictions);
      const targets = arrayOf(golden.targets);
      const rows = targets.shape[0]!;
      for (const batch of [rows, 1, 7, 64]) {
        const pass = metric.start();
        for (let row = 0; row < rows; row += batch) {
          const end = Math.min(rows, row + batch);
          pass.update(rowsOf(predictions, row, end), rowsOf(targets, row, end));
        }
        // float64 sums in another order.
        expect(Math.abs(pass.result() - golden.value), `batches of ${batch}`).toBeLessThanOrEqual(
          1e-12 * Math.max(1, Math.abs(golden.value)),
        );
      }
    });
  }
});
