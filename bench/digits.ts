// Accuracy of the digits recipes over several seeds, beside PyTorch's with the same recipes (bench/results/digits-torch.json):
//   node scripts/run-ts.mjs bench/digits.ts [--seeds 3] [--model mlp|cnn] [--json FILE]
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { data, isa, metrics, threads, train } from "athanor";
import { build, options, recipes } from "../examples/digits/recipes.js";

const { values: flags } = parseArgs({
  options: { seeds: { type: "string", default: "3" }, model: { type: "string" }, json: { type: "string" } },
});
const digits = await data.mnist();
const [training, validation] = [digits.train.slice(0, 55_000), digits.train.slice(55_000)];
const seeds = Array.from({ length: Number(flags.seeds) }, (_, i) => i + 1);
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

const results = [];
for (const recipe of recipes.filter(({ name }) => flags.model === undefined || name === flags.model)) {
  const accuracies: number[] = [];
  for (const seed of seeds) {
    const model = build(recipe, seed);
    await train.fit(model, training, options(recipe, { on: validation }, seed));
    const { accuracy } = await train.evaluate(model, digits.test, { metrics: { accuracy: metrics.accuracy() } });
    accuracies.push(accuracy);
    console.log(`${recipe.name} seed ${seed}: ${(accuracy * 100).toFixed(2)} %`);
    model.dispose();
  }
  const [ours, torch] = [spread(accuracies), spread(torchAccuracies(recipe.name))];
  const difference = { mean: ours.mean - torch.mean, error: Math.hypot(ours.error, torch.error) };
  console.log(
    `${recipe.name}: ${told(ours)}; PyTorch ${told(torch)}; difference ${points(difference.mean)} ± ${points(difference.error)}`,
  );
  results.push({ model: recipe.name, seeds, accuracies, ...ours, torch, difference });
}
const result = {
  suite: "digits",
  date: new Date().toISOString(),
  isa: isa(),
  threads: threads(),
  node: process.version,
  rows: results,
};
if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(result, null, 2)}\n`);

interface Spread {
  readonly runs: number;
  readonly mean: number;
  /** Standard deviation of the runs. */
  readonly deviation: number;
  /** Standard error of the mean. */
  readonly error: number;
}

function spread(accuracies: readonly number[]): Spread {
  const runs = accuracies.length;
  const average = mean(accuracies);
  const squares = accuracies.reduce((sum, accuracy) => sum + (accuracy - average) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(1, runs - 1));
  return { runs, mean: average, deviation, error: deviation / Math.sqrt(runs) };
}

function told({ runs, mean, deviation, error }: Spread): string {
  return `${points(mean)} % ± ${points(error)} (${runs} runs, deviation ${points(deviation)})`;
}

function points(share: number): string {
  return (100 * share).toFixed(3);
}

function torchAccuracies(name: string): number[] {
  const file = new URL("results/digits-torch.json", import.meta.url);
  const { rows } = JSON.parse(readFileSync(file, "utf8")) as {
    rows: { model: string; init: string; accuracy?: number }[];
  };
  const runs = rows.filter(({ model, init }) => model === name && init === "default");
  return runs.flatMap(({ accuracy }) => accuracy ?? []);
}
