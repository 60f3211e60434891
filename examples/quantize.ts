// A trained network in few bits: rounded, calibrated, trained while rounded, and a mixture of formats within a budget.
//   node scripts/run-ts.mjs examples/quantize.ts
import { array, data, distill, loss, metrics, nn, optim, quantize, schedule, seed, train } from "athanor";

const classes = 4;

// Arms of a spiral, one a class; every call draws other points.
function spirals(count: number, from: number): data.Dataset {
  const [x, y] = [new Float32Array(count * 2), new Uint8Array(count)];
  for (let i = 0; i < count; i++) {
    const radius = ((i * 0.618034 + from) % 1) * 0.95 + 0.05;
    const wobble = Math.sin((i + from) * 12.9898) * 0.15;
    y[i] = i % classes;
    const angle = radius * 4 + (y[i]! * 2 * Math.PI) / classes + wobble;
    x.set([radius * Math.cos(angle), radius * Math.sin(angle)], i * 2);
  }
  return data.fromArrays({ x: array(x, [count, 2]), y: array(y) });
}

const [training, test] = [spirals(3000, 0.1), spirals(3000, 0.9)];
const recipe = {
  loss: loss.crossEntropy(),
  optimizer: optim.adamW({ lr: schedule.cosine({ peak: 1e-2, warmup: 0.05 }), weightDecay: 0 }),
  batchSize: 100,
  steps: 1500,
};
seed(1);
const model = nn.sequential(nn.linear(2, 64), nn.relu(), nn.linear(64, 64), nn.relu(), nn.linear(64, classes));
await train.fit(model, training, recipe);

const bytesOf = (made: nn.Module) =>
  made.parameters().reduce((sum, { size, dtype }) => sum + size * { u8: 1, bf16: 2, f32: 4 }[dtype as "u8"], 0);
const accuracyOf = async (made: nn.Module, name: string) => {
  const { accuracy } = await train.evaluate(made, test, { metrics: { accuracy: metrics.accuracy() } });
  console.log(`${name.padEnd(34)} ${String(bytesOf(made)).padStart(6)} bytes  ${(accuracy * 100).toFixed(1)} %`);
  return accuracy;
};
export const float = await accuracyOf(model, "float");

// Integers all the way, the ranges of the inputs from some samples.
const calibrate = training.take(500);
const eight = await quantize(model, quantize.int8({ activations: "static" }), { calibrate });
export const int8 = await accuracyOf(eight, "int8, static activations");

// Two bits: rounding to nearest, rounding with care, and training with the float model as teacher.
const two = quantize.intN(2, { per: 32 });
export const nearest = await accuracyOf(await quantize(model, two), "int2, to nearest");
const careful = await quantize(model, two, { method: quantize.gptq({ calibrate }) });
export const gptq = await accuracyOf(careful, "int2, GPTQ");
const prepared = await quantize.prepare(model, two, { lsq: true });
await train.fit(prepared, training, {
  ...recipe,
  optimizer: optim.adamW({
    lr: schedule.cosine({ peak: 2e-3, warmup: 0.05 }),
    weightDecay: 0,
    groups: [{ match: /step$/, lr: schedule.constant(1e-4) }],
  }),
  distill: distill.kd({ teacher: model, temperature: 2, alpha: 0.5 }),
});
export const trained = await accuracyOf(await quantize.convert(prepared), "int2, trained with the float model");

// A format for each weight, so that all of them fit into 3,000 bytes.
const schemes = [quantize.int8(), quantize.int4(), two];
const found = await quantize.search(model, { schemes, calibrate, bytes: 3000 });
export const mixed = await accuracyOf(found.model, "a mixture within 3,000 bytes");
export const { bytes } = found;
console.log(String(found));
