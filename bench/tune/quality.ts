// Athanor's samplers on the functions and the conditional problems: one JSON line a run, as Optuna's side prints it.
//   node --import tsx bench/tune/quality.ts --sampler tpe,gp --trials 200 --at 50,100,200 --seeds 0-19 [--function branin,…]
//   node --import tsx bench/tune/quality.ts --conditional --sampler gp,tpe,auto --seeds 0-19 [--problem optimizer,…]
import { parseArgs } from "node:util";
import { cpuUsage } from "node:process";
import type { FlatSpace, Params } from "../../lib/tune/space/index.js";
import type { Sampler } from "../../lib/tune/samplers/index.js";
import type { TrialRecord } from "../../lib/tune/study/record.js";
import { conditionals } from "./conditional.js";
import { functions, noiseOf, spaceOf } from "./functions.js";
import { samplers } from "./samplers.js";

const { values: options } = parseArgs({
  options: {
    sampler: { type: "string", default: "tpe" },
    function: { type: "string", default: Object.keys(functions).join() },
    trials: { type: "string", default: "200" },
    at: { type: "string", default: "50,100,200" },
    seeds: { type: "string", default: "0-19" },
    conditional: { type: "boolean", default: false },
    problem: { type: "string", default: Object.keys(conditionals).join() },
  },
});

const [first = 0, last = first] = options.seeds.split("-").map(Number);
const seeds = Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** One study; returns its records and the CPU milliseconds of the sampler a trial. */
async function study(
  sampler: Sampler,
  space: FlatSpace,
  f: (params: Params, number: number) => number,
  run: { seed: number; trials: number },
): Promise<{ records: TrialRecord[]; cpuMs: number }> {
  // prettier-ignore
  const { seed, trials } = run;
  const records: TrialRecord[] = [];
  let micros = 0;
  for (let number = 0; number < trials; number++) {
    const before = cpuUsage();
    const request = {
      space,
      number,
      seed,
      directions: ["minimize"] as const,
      history: records,
      pending: [],
      budget: trials,
    };
    const params = (await sampler.sample(request))!;
    const used = cpuUsage(before);
    micros += used.user + used.system;
    records.push({ number, state: "complete", params, values: [f(params, number)], intermediate: [] });
  }
  return { records, cpuMs: micros / 1e3 / trials };
}

const print = (row: object): void => console.log(JSON.stringify({ system: "athanor", ...row }));

async function onFunctions(sampler: string): Promise<void> {
  const at = options.at.split(",").map(Number);
  for (const name of options.function.split(",")) {
    const test = functions[name]!;
    const space = spaceOf(test);
    for (const seed of seeds) {
      const clean: number[] = [];
      const objective = (params: Params, number: number): number => {
        const value = test.f(space.parameters.map(({ name: x }) => params[x]!));
        clean.push(value);
        return value + (test.noise > 0 ? test.noise * noiseOf(seed, number) : 0);
      };
      const { records, cpuMs } = await study(samplers[sampler]!(), space, objective, {
        seed,
        trials: Number(options.trials),
      });
      const best = at.map((n): [number, number] => {
        const seen = records.slice(0, n).map(({ values }) => values![0]!);
        return [n, clean[seen.indexOf(Math.min(...seen))]!];
      });
      print({ sampler, function: name, seed, best: Object.fromEntries(best) as object, cpuMs });
    }
  }
}

async function onConditionals(sampler: string): Promise<void> {
  for (const problem of options.problem.split(",")) {
    const { space, f, isRight } = conditionals[problem]!;
    for (const seed of seeds) {
      const { records } = await study(samplers[sampler]!(), space, f, { seed, trials: 200 });
      const best = records.reduce((a, b) => (b.values![0]! < a.values![0]! ? b : a));
      print({ sampler, problem, seed, right: isRight(best.params), best: best.values![0]! });
    }
  }
}

for (const sampler of options.sampler.split(","))
  await (options.conditional ? onConditionals(sampler) : onFunctions(sampler));
