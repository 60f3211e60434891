// Pruners on learning curves, 200 configurations of 81 epochs: how far the best complete one is from the best of all, and how many epochs
// were trained. One JSON line a pruner and kind of curves; the curves are those of the tests.
//   node --import tsx bench/tune/pruners.ts --seeds 0-19
import { parseArgs } from "node:util";
import { tune } from "../../lib/tune/index.js";
import type { Pruner } from "../../lib/tune/pruners/index.js";
import { costOf, curvesOf } from "../../test/tune/curves.js";

const { values: options } = parseArgs({ options: { seeds: { type: "string", default: "0-19" } } });
const [first = 0, last = first] = options.seeds.split("-").map(Number);
const seeds = Array.from({ length: last - first + 1 }, (_, i) => first + i);

const pruners: Readonly<Record<string, () => Pruner>> = {
  none: () => tune.none(),
  median: () => tune.median(),
  asha: () => tune.asha({ max: 81, factor: 3 }),
  hyperband: () => tune.hyperband({ max: 81, factor: 3 }),
  extrapolation: () => tune.extrapolation({ max: 81 }),
};

const spread = (list: readonly number[]): { readonly median: number; readonly quartiles: readonly number[] } => {
  const sorted = [...list].sort((a, b) => a - b);
  const at = (q: number): number => sorted[Math.round(q * (sorted.length - 1))]!;
  return { median: at(0.5), quartiles: [at(0.25), at(0.75)] };
};

for (const [pruner, make] of Object.entries(pruners)) {
  for (const curves of ["easy", "crossing"] as const) {
    const costs = seeds.map((seed) => costOf(make(), curvesOf(curves, seed)));
    const regret = spread(costs.map((cost) => cost.regret));
    const epochs = spread(costs.map((cost) => cost.epochs));
    console.log(JSON.stringify({ pruner, curves, regret, epochs, seeds: seeds.length }));
  }
}
