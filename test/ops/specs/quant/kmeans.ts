// native/ops/quant/kmeans.cc: tables for weights.
import { typed, type OpSpec } from "../../spec.js";
import { uniform, value, type Value } from "../../value.js";

/** The best table by dynamic programming over all cuts, in float64; where a value is 0, one cluster has its centre there. */
function kmeansOf([values, weights]: readonly Value[], entries: number): Float64Array {
  const counted = (i: number) => weights!.data[i]! > 0;
  const order = [...values!.data.keys()].filter(counted).sort((a, b) => values!.data[a]! - values!.data[b]!);
  const [x, w] = [order.map((i) => values!.data[i]!), order.map((i) => weights!.data[i]!)];
  const zero = x.includes(0);
  type Cut = { cost: number; centres: number[] };
  const none: Cut = { cost: Infinity, centres: [] };
  const better = (a: Cut, b: Cut) => (b.cost < a.cost ? b : a);
  const cluster = (i: number, j: number, fixed: boolean): { cost: number; centre: number } => {
    const total = w.slice(i, j).reduce((sum, each) => sum + each, 0);
    const mean = total > 0 ? x.slice(i, j).reduce((sum, value, n) => sum + w[i + n]! * value, 0) / total : x[i]!;
    const centre = fixed ? 0 : mean;
    return { centre, cost: x.slice(i, j).reduce((sum, value, n) => sum + w[i + n]! * (value - centre) ** 2, 0) };
  };
  // best[z][j]: of the first j values, z: with the cluster around 0 among them.
  let best = [0, 1].map((z) => Array.from({ length: x.length + 1 }, (_, j): Cut => (z + j === 0 ? { cost: 0, centres: [] } : none))); // prettier-ignore
  const k = Math.min(entries, new Set(x).size);
  for (let m = 1; m <= k; ++m) {
    best = [0, 1].map((z) =>
      Array.from({ length: x.length + 1 }, (_, j) => {
        let found = none;
        for (let i = 0; i < j; ++i) {
          for (const fixed of z === 1 ? [0, 1] : [0]) {
            const before = best[z - fixed]![i]!;
            if (before.cost === Infinity) continue;
            const { cost, centre } = cluster(i, j, fixed === 1);
            found = better(found, { cost: before.cost + cost, centres: [...before.centres, centre] });
          }
        }
        return found;
      }),
    );
  }
  const { centres } = best[zero ? 1 : 0]![x.length]!;
  centres.sort((a, b) => a - b);
  return Float64Array.from({ length: entries }, (_, i) => centres[Math.min(i, centres.length - 1)] ?? 0);
}

export const tables = {
  kmeans: {
    kind: "operation",
    samples: () => [
      { name: "[0] in 2", inputs: [uniform([0]), uniform([0])], attrs: { entries: 2 } },
      { name: "[1] in 3", inputs: [uniform([1]), uniform([1], 1, 2)], attrs: { entries: 3 } },
      { name: "[40] in 1", inputs: [uniform([40]), uniform([40], 0.5, 2)], attrs: { entries: 1 } },
      { name: "[4, 10] in 5", inputs: [uniform([4, 10]), uniform([4, 10], 0.5, 2)], attrs: { entries: 5 } },
      { name: "as many as values", inputs: [uniform([7]), uniform([7], 1, 2)], attrs: { entries: 7 } },
      {
        name: "with a 0",
        inputs: [value("f32", [9], [0.9, 0.8, 0, 0.7, -0.1, 0.3, 0.31, 0.5, 0.05]), uniform([9], 1, 2)],
        attrs: { entries: 3 },
      },
      {
        name: "zeros and few others",
        inputs: [value("f32", [6], [0, 0, 0, 2, 0, 2]), uniform([6], 1, 2)],
        attrs: { entries: 4 },
      },
      {
        name: "some of no weight",
        inputs: [value("f32", [5], [1, 2, 3, 40, 50]), value("f32", [5], [1, 1, 1, 0, 0])],
        attrs: { entries: 4 },
      },
    ],
    reference: (inputs, attrs) => {
      const data = kmeansOf(inputs, attrs.entries as number);
      return [{ dtype: "f32", shape: [data.length], data }];
    },
    tolerance: "rounded",
    fused: false,
    errors: [
      {
        inputs: [typed("i32", 3), typed("i32", 3)],
        attrs: { entries: 2 },
        code: "ERR_ATHANOR_DTYPE",
        message: "kmeans: the values must be f32, got i32 [3]; cast them first",
      },
      {
        inputs: [typed("f32", 3), typed("f32", 2)],
        attrs: { entries: 2 },
        code: "ERR_ATHANOR_SHAPE",
        message: "kmeans: the weights must be f32 [3], got f32 [2]",
      },
      {
        inputs: [typed("f32", 3), typed("f32", 3)],
        attrs: { entries: 0 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "kmeans: entries must be from 1 to 65536, got 0",
      },
    ],
  },
} as const satisfies Record<string, OpSpec>;
