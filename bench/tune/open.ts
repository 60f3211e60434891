// Milliseconds until a study of many trials is open: `tune.load`, and the first trial of a search that goes on with it.
//   node --import tsx bench/tune/open.ts [--place /tmp/open.db | --place postgres://…] [--trials 10000]
// Trials have ten reports. SQLite's file is in the page cache; the process that opens it is this one, which has compiled its code.
import { rmSync } from "node:fs";
import os from "node:os";
import { parseArgs } from "node:util";
import { tune, type Trial } from "../../lib/tune/index.js";

const { values: options } = parseArgs({
  options: {
    place: { type: "string", default: `/tmp/athanor-open-${process.pid}.db` },
    trials: { type: "string", default: "10000" },
    repeats: { type: "string", default: "5" },
  },
});
const [storage, trials, name] = [options.place, Number(options.trials), `open ${process.pid}`];
const space = { x: tune.uniform(0, 1), y: tune.logUniform(1e-5, 1), n: tune.int(1, 8) };
const objective = (trial: Trial, { params }: { readonly params: { readonly x: number } }): number => {
  for (let step = 0; step < 10; step++) trial.report(step, params.x / (step + 1));
  return params.x;
};
await tune(space, objective, { storage, name, trials, concurrency: 8, sampler: tune.random() });

async function ms(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
const load: number[] = [];
const first: number[] = [];
for (let i = 0; i < Number(options.repeats); i++) {
  load.push(await ms(() => tune.load(storage, name)));
  let asked = 0;
  const begun = performance.now();
  await tune(
    space,
    (trial, given) => {
      asked = performance.now() - begun;
      return objective(trial, given);
    },
    { storage, name, trials: trials + i + 1, sampler: tune.tpe(), allow: ["sampler"] },
  );
  first.push(asked);
}
const median = (list: readonly number[]): number => Math.round([...list].sort((a, b) => a - b)[list.length >> 1]!);
const kind = storage.includes("://") ? "postgres" : "sqlite";
console.log(JSON.stringify({ open: kind, trials, loadMs: median(load), firstTrialMs: median(first), load: Number(os.loadavg()[0]!.toFixed(1)) })); // prettier-ignore
if (kind === "sqlite") for (const suffix of ["", "-wal", "-shm"]) rmSync(storage + suffix, { force: true });
