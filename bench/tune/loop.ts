// How long the event loop stands still while a Gaussian process is fitted in the engine: percentiles of its delay in milliseconds, beside
// those of an idle process (a timer's own error, and the machine's load), in one run.
//   node --import tsx bench/tune/loop.ts --history 400,2000 --asks 30
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { tune } from "../../lib/tune/index.js";
import { Draws } from "../../lib/tune/random/philox.js";
import type { TrialRecord } from "../../lib/tune/study/record.js";
import { functions, spaceOf } from "./functions.js";

const { values: options } = parseArgs({
  options: { history: { type: "string", default: "400,2000" }, asks: { type: "string", default: "30" } },
});

async function delays(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const begun = performance.now();
  await work();
  const ms = performance.now() - begun;
  histogram.disable();
  const at = (q: number): number => Number((histogram.percentile(q) / 1e6).toFixed(2));
  return { p50: at(50), p99: at(99), max: at(100), ms: Math.round(ms) };
}

const test = functions.hartmann6!;
const space = spaceOf(test);
const names = space.parameters.map(({ name }) => name);
for (const count of options.history.split(",").map(Number)) {
  const history = Array.from({ length: count }, (_, number): TrialRecord => {
    const params = Object.fromEntries(names.map((name) => [name, new Draws(1, number, name).uniform()]));
    return {
      number,
      state: "complete",
      params,
      values: [test.f(names.map((name) => params[name]!))],
      intermediate: [],
    };
  });
  const sampler = tune.gp();
  const ask = async (i: number): Promise<void> => {
    await sampler.sample({ space, number: count + i, seed: 1, directions: ["minimize"], history, pending: [] });
  };
  await ask(0);
  const fitting = await delays(async () => {
    for (let i = 1; i <= Number(options.asks); i++) await ask(i);
  });
  const idle = await delays(() => new Promise((resolve) => setTimeout(resolve, fitting.ms)));
  console.log(JSON.stringify({ loop: "gp", history: count, asks: Number(options.asks), fitting, idle }));
}
