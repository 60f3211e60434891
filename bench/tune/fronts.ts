// Hypervolume on ZDT1 after 500 trials, 6 and 30 parameters: one JSON line a run.
//   node --import tsx bench/tune/fronts.ts --sampler nsga2,tpe --seeds 0-9
import { parseArgs } from "node:util";
import { tune } from "../../lib/tune/index.js";
import { flatten } from "../../lib/tune/space/index.js";
import type { TrialRecord } from "../../lib/tune/study/record.js";
import { samplers } from "./samplers.js";

const { values: options } = parseArgs({
  options: { sampler: { type: "string", default: "nsga2,tpe" }, seeds: { type: "string", default: "0-9" } },
});
const [first = 0, last = first] = options.seeds.split("-").map(Number);
const directions = ["minimize", "minimize"] as const;
const problems = [
  { d: 6, reference: [1.1, 1.1] },
  { d: 30, reference: [1, 6] },
];

function zdt1(x: readonly number[]): number[] {
  const g = 1 + (9 * x.slice(1).reduce((a, b) => a + b, 0)) / (x.length - 1);
  return [x[0]!, g * (1 - Math.sqrt(x[0]! / g))];
}

for (const name of options.sampler.split(",")) {
  for (const { d, reference } of problems) {
    const space = flatten(Object.fromEntries(Array.from({ length: d }, (_, i) => [`x${i}`, tune.uniform(0, 1)])));
    for (let seed = first; seed <= last; seed++) {
      const sampler = samplers[name]!();
      const records: TrialRecord[] = [];
      for (let number = 0; number < 500; number++) {
        const params = (await sampler.sample({
          space,
          number,
          seed,
          directions,
          history: records,
          pending: [],
          budget: 500,
        }))!;
        const values = zdt1(space.parameters.map(({ name: x }) => params[x]!));
        records.push({ number, state: "complete", params, values, intermediate: [] });
      }
      const volume = await tune.hypervolume({ directions, records }, reference);
      console.log(
        JSON.stringify({ system: "athanor", sampler: name, function: `zdt1-${d}`, seed, hypervolume: volume }),
      );
    }
  }
}
