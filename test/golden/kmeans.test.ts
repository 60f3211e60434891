// Tables found by k-means beside scikit-learn's KMeans (k-means++, ten starts).
import { describe, expect, it } from "vitest";
import { array, nn, quantize } from "../../lib/index.js";
import { readGolden } from "./read.js";

const { record, tensor } = readGolden("kmeans");

/** Σ (w − quantized w)², and how many entries of the table stand for a weight. */
async function quantized(w: Float32Array, shape: readonly [number, number], entries: number) {
  const layer = nn.linear(shape[1], shape[0], { bias: false });
  layer.weight.write(array(w, shape));
  const small = await quantize(layer, quantize.kmeans({ entries }));
  const values = (await small.weight.read()).data as Float32Array;
  const inertia = values.reduce((sum, value, i) => sum + (value - w[i]!) ** 2, 0);
  return { inertia, used: new Set(values).size };
}

describe("k-means tables", () => {
  for (const { name, weights, entries, inertia } of record.cases) {
    it(`${name}: no more than 1.02 of scikit-learn's inertia, no entry empty`, async () => {
      const { data, shape } = tensor(weights);
      const got = await quantized(data as Float32Array, shape as [number, number], entries);
      expect(got.inertia).toBeLessThanOrEqual(1.02 * inertia);
      expect(got.used).toBe(entries);
    });
  }
});
