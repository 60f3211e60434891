// Trials a second in the deterministic order, beside the free one: 8 workers, durations of a log-normal distribution (σ = 0.5, mean 40 ms),
// the same ones for both, in turn.   node --import tsx bench/tune/throughput.ts [--lag 16] [--pairs 5]
import os from "node:os";
import { parseArgs } from "node:util";
import { tune } from "../../lib/tune/index.js";
import { Draws } from "../../lib/tune/random/philox.js";

const { values: options } = parseArgs({
  options: {
    trials: { type: "string", default: "400" },
    workers: { type: "string", default: "8" },
    lag: { type: "string", default: "16" },
    pairs: { type: "string", default: "5" },
    sigma: { type: "string", default: "0.5" },
    mean: { type: "string", default: "40" },
  },
});
const [trials, workers, lag, sigma, mean] = (["trials", "workers", "lag", "sigma", "mean"] as const).map((key) => Number(options[key])) as [number, number, number, number, number]; // prettier-ignore

async function perSecond(mode: "deterministic" | "free", seed: number): Promise<number> {
  const begun = performance.now();
  await tune(
    { x: tune.uniform(0, 1) },
    async (trial, { params }) => {
      const ms = mean * Math.exp(sigma * new Draws(seed, trial.number, "duration").normal() - (sigma * sigma) / 2);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return params.x;
    },
    { trials, concurrency: workers, lag, mode, sampler: tune.random() },
  );
  return trials / ((performance.now() - begun) / 1000);
}

const ratios: number[] = [];
for (let pair = 0; pair < Number(options.pairs); pair++) {
  const free = await perSecond("free", pair);
  ratios.push((await perSecond("deterministic", pair)) / free);
}
ratios.sort((a, b) => a - b);
const round = (x: number): number => Number(x.toFixed(3));
console.log(JSON.stringify({ throughput: `${workers} workers, lag ${lag}, σ ${sigma}`, trials, pairs: ratios.length, ratio: round(ratios[ratios.length >> 1]!), least: round(ratios[0]!), load: round(os.loadavg()[0]!) })); // prettier-ignore
