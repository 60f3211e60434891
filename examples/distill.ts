// A small network learns from a large one: with few labels, layer by layer, and in a loop of your own.
//   node scripts/run-ts.mjs examples/distill.ts
import { array, data, distill, loss, metrics, nn, optim, schedule, seed, train } from "athanor";

const classes = 3;

// Arms of a spiral, one a class; every call draws other points.
function spirals(count: number, from: number): data.Dataset {
  const [x, y] = [new Float32Array(count * 2), new Uint8Array(count)];
  for (let i = 0; i < count; i++) {
    const radius = ((i * 0.618034 + from) % 1) * 0.95 + 0.05;
    const wobble = Math.sin((i + from) * 12.9898) * 0.25;
    y[i] = i % classes;
    const angle = radius * 5 + (y[i]! * 2 * Math.PI) / classes + wobble;
    x.set([radius * Math.cos(angle), radius * Math.sin(angle)], i * 2);
  }
  return data.fromArrays({ x: array(x, [count, 2]), y: array(y) });
}

const [many, few, test] = [spirals(3000, 0.1), spirals(30, 0.5), spirals(3000, 0.9)];
const recipe = {
  loss: loss.crossEntropy(),
  optimizer: optim.adamW({ lr: schedule.cosine({ peak: 1e-2, warmup: 0.05 }) }),
  batchSize: 100,
  steps: 1500,
};
const mlp = (width: number, at: number) => {
  seed(at);
  return nn.sequential(nn.linear(2, width), nn.relu(), nn.linear(width, width), nn.relu(), nn.linear(width, classes));
};
const accuracyOf = async (model: nn.Module) =>
  (await train.evaluate(model, test, { metrics: { accuracy: metrics.accuracy() } })).accuracy;

const teacher = mlp(64, 1);
await train.fit(teacher, many, recipe);
export const taught = await accuracyOf(teacher);
console.log(`teacher: ${teacher.size} parameters, ${(taught * 100).toFixed(1)} %`);

// Thirty labels are too few. The teacher's opinion on points without labels is worth more: alpha 1 looks at no label.
const alone = mlp(12, 2);
await train.fit(alone, few, recipe);
const student = mlp(12, 2);
const kept = distill.cached(teacher); // the teacher is asked once about every point
await train.fit(student, many, { ...recipe, distill: distill.kd({ teacher: kept, temperature: 2, alpha: 1 }) });
export const [withoutTeacher, withTeacher] = [await accuracyOf(alone), await accuracyOf(student)];
console.log(`student, ${student.size} parameters, 30 labels: ${(withoutTeacher * 100).toFixed(1)} %`);
console.log(`student with the teacher: ${(withTeacher * 100).toFixed(1)} %`);

// The same in a loop of your own: a temperature that falls, and the second layer as a hint through a learned projection.
const terms = distill.combine(
  distill.kd({ teacher, temperature: schedule.linear({ initial: 6, final: 1 }), alpha: 0.8 }),
  distill.hints({ teacher, layers: "3", weight: 0.01 }),
);
const own = mlp(12, 3);
const step = train.step(own, optim.adamW({ lr: 5e-3 }), terms.step(own, loss.crossEntropy()), { steps: 600 });
const losses: number[] = [];
for (let i = 0; i < 600; i++) {
  const batch = many.slice((i * 100) % 3000, ((i * 100) % 3000) + 100);
  losses.push((await step.run({ x: batch.x, y: batch.y })).loss);
}
export const [first, last] = [losses[0]!, losses.at(-1)!];
export const inOwnLoop = await accuracyOf(own);
console.log(`in a loop of our own: loss ${first.toFixed(3)} → ${last.toFixed(3)}, ${(inOwnLoop * 100).toFixed(1)} %`);
step.dispose();
for (const model of [teacher, alone, student, own]) model.dispose();
