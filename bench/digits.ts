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
    await train.fit(model, training, options(recipe, { on: validation }, seed)).result;
    const { accuracy } = await train.evaluate(model, digits.test, { metrics: { accuracy: metrics.accuracy() } });
    accuracies.push(accuracy);
    console.log(`${recipe.name} seed ${seed}: ${(accuracy * 100).toFixed(2)} %`);
    model.dispose();
  }
  const average = mean(accuracies);
  const deviation = Math.sqrt(
    mean(accuracies.map((a) => (a - average) ** 2)) * (seeds.length / Math.max(1, seeds.length - 1)),
  );
  const torch = torchMean(recipe.name);
  console.log(
    `${recipe.name}: mean ${(average * 100).toFixed(2)} % (deviation ${(deviation * 100).toFixed(2)}), PyTorch ${(torch * 100).toFixed(2)} %`,
  );
  results.push({ model: recipe.name, seeds, accuracies, mean: average, deviation, torch });
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

function torchMean(name: string): number {
  const file = new URL("results/digits-torch.json", import.meta.url);
  const { rows } = JSON.parse(readFileSync(file, "utf8")) as {
    rows: { model: string; init: string; accuracy?: number }[];
  };
  const runs = rows.filter(({ model, init }) => model === name && init === "default");
  return mean(runs.flatMap(({ accuracy }) => accuracy ?? []));
}
