// One rank of `pipeline.test.ts`: trains every scenario by every division that it is given, and writes what they came to.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parallel, type FitOptions } from "athanor";
import { names, run, type Outcome } from "./scenarios.js";

const [divisions, folder, only, more] = process.argv.slice(2);
const { rank, size } = await parallel.connect();
const further = JSON.parse(more ?? "{}") as Partial<FitOptions>;
const outcomes: Record<string, Record<string, Outcome>> = {};
const orders: Record<string, string[]> = {};
for (const [name, options] of Object.entries(JSON.parse(divisions!) as Record<string, parallel.PipelineOptions>)) {
  outcomes[name] = {};
  for (const scenario of names.filter((each) => !only || only.split(",").includes(each))) {
    let order: string[] = [];
    const onTimeline = (timeline: readonly parallel.TimedAction[]) => {
      order = timeline.map(({ pass, microBatch, chunk }) => `${pass}${microBatch}.${chunk}`);
    };
    outcomes[name][scenario] = await run(scenario, { pipeline: { ...options, onTimeline } }, further);
    orders[`${name} ${scenario}`] = order;
  }
}
writeFileSync(
  join(folder!, `${rank}.json`),
  JSON.stringify({ rank, size, outcomes, orders, ledger: parallel.ledger() }),
);
