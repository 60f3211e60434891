// Run in a process of its own: loads an artifact without the code that built it, evaluates it on the test set and times it.
// Prints one JSON object.
import { artifact, array, data, metrics } from "athanor";

const [path] = process.argv.slice(2);
const { test } = await data.mnist();
using model = await artifact.load(path!);

const batch = 500;
const scored = [];
for (let start = 0; start < test.length; start += batch) {
  const part = test.slice(start, start + batch);
  scored.push({ scores: await model.predict(part.x), labels: part.y });
}
const accuracy = metrics.accuracy().start();
const confusion = metrics.confusionMatrix().start();
for (const { scores, labels } of scored) {
  accuracy.update(scores, labels);
  confusion.update(scores, labels);
}

// The surest mistakes: what the report draws.
const mistakes = scored
  .flatMap(({ scores, labels }, block) =>
    Array.from(labels.data, (actual, row) => {
      const logits = Array.from(scores.data.subarray(row * 10, row * 10 + 10));
      const predicted = logits.indexOf(Math.max(...logits));
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - logits[predicted]!), 0);
      return { index: block * batch + row, actual, predicted, probability: 1 / total };
    }),
  )
  .filter(({ actual, predicted }) => actual !== predicted)
  .sort((a, b) => b.probability - a.probability)
  .slice(0, 40)
  .map(({ index, ...mistake }) => ({ ...mistake, pixels: Array.from(test.slice(index, index + 1).x.data) }));

const one = array(Uint8Array.from(test.slice(0, 1).x.data), [1, 1, 28, 28]);
const latencies = time(() => model.predictSync(one), 5_000, 200);
const many = test.slice(0, 256).x;
const throughput: number[] = [];
for (let i = 0; i < 40; i++) {
  const begun = performance.now();
  await model.predict(many);
  throughput.push((256 / (performance.now() - begun)) * 1e3);
}

console.log(
  JSON.stringify({
    accuracy: accuracy.result(),
    confusion: { classes: 10, counts: Array.from(confusion.result().counts) },
    mistakes,
    parameters: model.parameters,
    nonzero: model.countNonzero(),
    bytes: model.bytes,
    latencyMicros: { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
    samplesPerSecond: quantile(throughput.slice(10), 0.5),
  }),
);

function time(work: () => void, times: number, warmup: number): number[] {
  for (let i = 0; i < warmup; i++) work();
  return Array.from({ length: times }, () => {
    const begun = process.hrtime.bigint();
    work();
    return Number(process.hrtime.bigint() - begun) / 1e3;
  });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
