// CPU milliseconds that a sampler takes for one trial of a study with six numbers and many trials before it, and those of importance.
//   node --import tsx bench/tune/cost.ts --sampler tpe,gp --history 100,1000,10000 [--repeats 41]
// The first question, which reads the whole history, is a row of its own.
import { cpuUsage } from "node:process";
import { parseArgs } from "node:util";
import { tune } from "../../lib/tune/index.js";
import { Draws } from "../../lib/tune/random/philox.js";
import type { TrialRecord } from "../../lib/tune/study/record.js";
import { functions, spaceOf } from "./functions.js";
import { samplers } from "./samplers.js";

const { values: options } = parseArgs({
  options: {
    sampler: { type: "string", default: "tpe,gp,cmaes,sobol" },
    history: { type: "string", default: "100,1000,10000" },
    repeats: { type: "string", default: "41" },
  },
});

const test = functions.hartmann6!;
const space = spaceOf(test);
const names = space.parameters.map(({ name }) => name);

function trial(number: number, params?: Record<string, number>): TrialRecord {
  const drawn = params ?? Object.fromEntries(names.map((name) => [name, new Draws(1, number, name).uniform()]));
  const value = test.f(names.map((name) => drawn[name]!));
  return { number, state: "complete", params: drawn, values: [value], intermediate: [] };
}

async function cpuMs(work: () => unknown): Promise<number> {
  const before = cpuUsage();
  await work();
  const { user, system } = cpuUsage(before);
  return (user + system) / 1e3;
}

const print = (row: object): void => console.log(JSON.stringify({ system: "athanor", ...row }));
const median = (list: number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;

for (const name of options.sampler.split(",")) {
  for (const count of options.history.split(",").map(Number)) {
    const history = Array.from({ length: count }, (_, number) => trial(number));
    const sampler = samplers[name]!();
    const ask = async (): Promise<void> => {
      const number = history.length;
      const params = await sampler.sample({ space, number, seed: 1, directions: ["minimize"], history, pending: [] });
      history.push(trial(number, { ...params }));
    };
    const first = await cpuMs(ask);
    const times: number[] = [];
    for (let i = 0; i < Number(options.repeats); i++) times.push(await cpuMs(ask));
    print({ sampler: name, history: count, cpuMs: median(times), firstMs: first });
  }
}

const records = Array.from({ length: 1000 }, (_, number) => trial(number));
for (const method of ["fanova", "permutation"] as const) {
  const times: number[] = [];
  for (let i = 0; i < 3; i++)
    times.push(await cpuMs(() => tune.importance({ space, directions: ["minimize"], records }, { method })));
  print({ sampler: method, history: 1000, cpuMs: median(times) });
}
