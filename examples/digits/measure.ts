// Run in a process of its own: loads artifacts without the code that built them, evaluates each on the test set, and times them in
// turns. Prints a JSON array.
//   measure.ts FOLDER REFERENCE|none NAME…
import { join } from "node:path";
import { artifact, data, metrics, report } from "athanor";

const [folder, reference, ...names] = process.argv.slice(2) as [string, string, ...string[]];
const { test } = await data.mnist();
const models = new Map<string, artifact.LoadedModel>();
for (const name of names) models.set(name, await artifact.load(join(folder, name)));

const found = [];
for (const [name, model] of models) found.push({ name, ...(await evaluated(model)) });
const contenders = [...models].map(([name, model]) => ({ name, model, x: test.take(256).x }));
const speeds = reference === "none" ? undefined : await report.compareSpeed(contenders, { reference });
const results = found.map(({ name, summary, ...rest }) => ({
  name,
  summary: { ...summary, ...speeds?.get(name) },
  ...rest,
}));
console.log(JSON.stringify(results));
for (const model of models.values()) model.dispose();

async function evaluated(model: artifact.LoadedModel) {
  const batch = 500;
  const accuracy = metrics.accuracy().start();
  const confusion = metrics.confusionMatrix().start();
  const mistakes = [];
  for (let start = 0; start < test.length; start += batch) {
    const { x, y } = test.slice(start, start + batch);
    const scores = await model.predict(x);
    accuracy.update(scores, y);
    confusion.update(scores, y);
    mistakes.push(...mistakesOf(scores.data, y.data, start));
  }
  // The surest mistakes: what the report draws.
  const surest = mistakes.toSorted((a, b) => b.probability - a.probability).slice(0, 40);
  const { parameters, bytes } = model;
  return {
    summary: {
      accuracy: accuracy.result(),
      samples: test.length,
      parameters,
      nonzero: model.countNonzero(),
      bytes,
    },
    confusion: { classes: 10, counts: Array.from(confusion.result().counts) },
    mistakes: surest.map(({ index, ...mistake }) => ({
      ...mistake,
      pixels: Array.from(test.slice(index, index + 1).x.data),
    })),
  };
}

function mistakesOf(scores: ArrayLike<number>, labels: ArrayLike<number>, start: number) {
  return Array.from(labels, (actual, row) => {
    const logits = Array.from({ length: 10 }, (_, i) => scores[row * 10 + i]!);
    const predicted = logits.indexOf(Math.max(...logits));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - logits[predicted]!), 0);
    return { index: start + row, actual, predicted, probability: 1 / total };
  }).filter(({ actual, predicted }) => actual !== predicted);
}
