// What a teacher is worth on the digits: a student of less than a tenth of its parameters with and without it, on all labels and on
// 1,000 of them, over several seeds:
//   node scripts/run-ts.mjs bench/distill.ts [--seeds 5] [--epochs 4] [--json FILE]
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { array, data, distill, isa, loss, metrics, nn, optim, schedule, threads, train } from "athanor";
import { build, options, recipes, student as studentRecipe } from "../examples/digits/recipes.js";

const { values: flags } = parseArgs({
  options: {
    seeds: { type: "string", default: "5" },
    epochs: { type: "string", default: "4" },
    json: { type: "string" },
  },
});
const [seeds, epochs] = [Number(flags.seeds), Number(flags.epochs)];
const labelled = 1000;
const unlabelled = 255;

const digits = await data.mnist();
const [training, validation] = [digits.train.slice(0, 55_000), digits.train.slice(55_000)];

const recipe = recipes.find(({ name }) => name === "cnn")!;
const teacher = build(recipe, 1);
await train.fit(teacher, training, options(recipe, { on: validation }, 1));
const taught = distill.cached(teacher);

const student = (at: number): nn.Module => build(studentRecipe, at);

const recipeOf = (at: number, passes: number) => ({
  loss: loss.crossEntropy({ ignoreIndex: unlabelled }),
  optimizer: optim.adamW({
    lr: schedule.cosine({ peak: studentRecipe.peakRate, warmup: 0.05 }),
    weightDecay: 0.01,
    clipNorm: 1,
  }),
  batchSize: 128,
  epochs: passes,
  seed: at,
});
const kd = distill.kd({ teacher: taught, temperature: 4, alpha: 0.9 });
const some = training.take(labelled);
const mostlyUnlabelled = data.fromArrays({
  x: training.x,
  y: array(Uint8Array.from(training.y.data, (label, i) => (i < labelled ? label : unlabelled))),
});

const arms: Record<string, (model: nn.Module, at: number) => Promise<unknown>> = {
  student: (model, at) => train.fit(model, training, { ...recipeOf(at, epochs), distill: kd }),
  "student-alone": (model, at) => train.fit(model, training, recipeOf(at, epochs)),
  "student, 1,000 labels": (model, at) => train.fit(model, mostlyUnlabelled, { ...recipeOf(at, epochs), distill: kd }),
  // As many passes as leave nothing to learn from so few.
  "student-alone, 1,000 labels": (model, at) => train.fit(model, some, recipeOf(at, 100)),
};

const accuracyOf = async (model: nn.Module) =>
  (await train.evaluate(model, digits.test, { metrics: { accuracy: metrics.accuracy() } })).accuracy * 100;
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const deviation = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, v) => sum + (v - mean(values)) ** 2, 0) / Math.max(1, values.length - 1));

const best = await accuracyOf(teacher);
const [large, small] = [teacher.size, student(0).size];
console.log(
  `teacher: ${large} parameters, ${best.toFixed(2)} %; student: ${small}, ${(large / small).toFixed(1)} times fewer`,
);
const rows = [];
for (const [name, fit] of Object.entries(arms)) {
  const accuracies: number[] = [];
  for (let at = 1; at <= seeds; at++) {
    const model = student(at);
    await fit(model, at);
    accuracies.push(await accuracyOf(model));
    model.dispose();
  }
  const row = { model: name, accuracies, mean: mean(accuracies), deviation: deviation(accuracies) };
  const each = accuracies.map((accuracy) => accuracy.toFixed(2)).join(" ");
  console.log(`${name}: mean ${row.mean.toFixed(2)} % (deviation ${row.deviation.toFixed(2)}: ${each})`);
  rows.push(row);
}

const [withTeacher, alone, few, fewAlone] = rows.map((row) => row.mean) as [number, number, number, number];
const wanted = {
  "a tenth of the parameters": large / small >= 10,
  "within 1.5 points of the teacher": best - withTeacher <= 1.5,
  "no worse than alone": withTeacher >= alone,
  "3 points better with 1,000 labels": few - fewAlone >= 3,
};
for (const [what, met] of Object.entries(wanted)) console.log(`${met ? "yes" : "NO "}  ${what}`);
if (flags.json !== undefined) {
  const result = {
    suite: "distill",
    date: new Date().toISOString(),
    isa: isa(),
    threads: threads(),
    node: process.version,
    teacher: { model: "cnn", parameters: large, accuracy: best },
    student: { parameters: small, epochs },
    wanted,
    rows,
  };
  writeFileSync(flags.json, `${JSON.stringify(result, null, 2)}\n`);
}
teacher.dispose();
