// A trained network with few of its weights: pruned at once, along a schedule, from a lottery ticket, in patterns, and by whole neurons.
//   node scripts/run-ts.mjs examples/prune.ts
import { array, data, loss, metrics, nn, optim, prune, schedule, seed, train } from "athanor";

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
  steps: 1200,
};
seed(1);
const model = nn.sequential(nn.linear(2, 64), nn.relu(), nn.linear(64, 64), nn.relu(), nn.linear(64, classes));
await train.fit(model, training, recipe);

const accuracyOf = async (made: nn.Module, name: string) => {
  const { accuracy } = await train.evaluate(made, test, { metrics: { accuracy: metrics.accuracy() } });
  const { nonzero } = await prune.sparsity(made);
  console.log(`${name.padEnd(34)} ${String(nonzero).padStart(5)} weights  ${(accuracy * 100).toFixed(1)} %`);
  return accuracy;
};
export const dense = await accuracyOf(model, "dense");

// At once, the smallest weights of all layers; then along a schedule while the model is trained.
const amount = 0.9;
export const atOnce = await accuracyOf(await prune(model, { amount, scope: "global" }), "pruned at once");
const during = { ...recipe, data: training };
const pruned = await prune(model, { amount, scope: "global", schedule: prune.cubic({ steps: 800 }), during });
export const gradual = await accuracyOf(pruned, "pruned while trained");
console.log(String(await prune.sparsity(pruned)));

// The same without its zeros: a bitmap and the values that are left.
const packed = await prune.pack(pruned);
export const asPacked = await accuracyOf(packed, "packed");

// Small sub-networks that learn from their early weights.
const ticket = await prune(model, { amount: 0.8, schedule: prune.lottery({ rounds: 2, rewindTo: 100 }), during });
export const won = await accuracyOf(ticket, "a lottery ticket");

// Two of every four inputs stay; scores from the inputs that the weights meet. The first layer has two inputs only.
const inputs = { structure: "2:4", criterion: prune.wanda, calibrate: training.take(500), keep: "0" } as const;
export const halved = await accuracyOf(await prune(model, inputs), "2:4 by Wanda");

// Whole neurons go, and the shapes shrink.
const small = await prune(model, { structured: "neurons", amount: 0.5, criterion: prune.taylor, during });
export const shrunk = await accuracyOf(small, "half of the neurons");
export const shapes = small.namedParameters().map(({ parameter }) => parameter.shape);
