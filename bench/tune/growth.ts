// Time and memory of a search as it grows: CPU milliseconds a trial and heap after collection in each quarter of its trials.
//   node --expose-gc --import tsx bench/tune/growth.ts --trials 20000 [--kind random,median]
// One JSON line a kind. Memory is what V8 holds beyond the trials themselves, which a search keeps: bytes a trial must not grow.
import { parseArgs } from "node:util";
import { tune } from "../../lib/tune/index.js";
import type { Trial, TuneOptions } from "../../lib/tune/index.js";
import type { Space } from "../../lib/tune/space/index.js";

const { values: options } = parseArgs({
  options: {
    trials: { type: "string", default: "20000" },
    kind: { type: "string", default: "random,free,finite,conditional,asked,pruned,hyperband,median,pruned free,tpe" },
    storage: { type: "string" },
  },
});
const trials = Number(options.trials);

interface Kind {
  readonly space: Space;
  readonly objective: (trial: Trial, params: Record<string, unknown>) => number;
  readonly options?: TuneOptions;
}

const line: Space = { x: tune.uniform(0, 1), y: tune.uniform(0, 1) };
const value = (_: Trial, { x }: Record<string, unknown>): number => (x as number) ** 2;

function reporting(trial: Trial, { x }: Record<string, unknown>): number {
  for (let step = 0; step < 10; step++) {
    trial.report(step, (x as number) / (step + 1));
    if (trial.shouldPrune()) trial.prune();
  }
  return x as number;
}

const kinds: Readonly<Record<string, Kind>> = {
  random: { space: line, objective: value, options: { sampler: tune.random() } },
  free: { space: line, objective: value, options: { sampler: tune.random(), mode: "free" } },
  finite: { space: { a: tune.int(0, 999), b: tune.int(0, 99) }, objective: (_, { a }) => a as number, options: { sampler: tune.random() } }, // prettier-ignore
  conditional: {
    space: { k: tune.choice(["a", "b", "c"]), at: tune.when("k", { a: { x: tune.uniform(0, 1) }, b: { y: tune.uniform(0, 1) } }) }, // prettier-ignore
    objective: (_, { k }) => (k as string).charCodeAt(0),
    options: { sampler: tune.tpe() },
  },
  asked: { space: {}, objective: (trial) => trial.suggest("x", tune.uniform(0, 1)) + trial.suggest("y", tune.uniform(0, 1)), options: { sampler: tune.random() } }, // prettier-ignore
  pruned: { space: line, objective: reporting, options: { sampler: tune.random(), pruner: tune.asha({ max: 9, factor: 3 }) } }, // prettier-ignore
  hyperband: {
    space: line,
    objective: reporting,
    options: { sampler: tune.random(), pruner: tune.hyperband({ max: 9 }) },
  },
  median: { space: line, objective: reporting, options: { sampler: tune.random(), pruner: tune.median() } },
  "pruned free": { space: line, objective: reporting, options: { sampler: tune.random(), pruner: tune.asha({ max: 9, factor: 3 }), mode: "free" } }, // prettier-ignore
  tpe: { space: line, objective: value, options: { sampler: tune.tpe() } },
};

const heap = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};

for (const name of options.kind.split(",")) {
  const { space, objective, options: own } = kinds[name]!;
  const quarters: { cpuMs: number; bytes: number }[] = [];
  let [ended, cpu, before] = [0, process.cpuUsage(), heap()];
  await tune(space as Record<string, never>, (trial, { params }) => objective(trial, params), {
    trials,
    concurrency: 8,
    ...(own as object),
    ...(options.storage === undefined ? {} : { storage: options.storage, name }),
    onTrial: () => {
      if (++ended % (trials / 4) !== 0) return;
      const { user, system } = process.cpuUsage(cpu);
      const now = heap();
      quarters.push({ cpuMs: (user + system) / 1e3 / (trials / 4), bytes: (now - before) / (trials / 4) });
      [cpu, before] = [process.cpuUsage(), now];
    },
  });
  const row = (key: "cpuMs" | "bytes"): number[] => quarters.map((each) => Number(each[key].toPrecision(3)));
  console.log(JSON.stringify({ growth: name, trials, cpuMs: row("cpuMs"), bytes: row("bytes") }));
}
