// Twenty training steps of four models beside PyTorch's: every loss, the final weights and statistics, and the logits in use.
// Everything is compared with PyTorch's float64 run; its own float32 run is off by `drift`, and so may we be, a few times over.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeviceName } from "../../lib/device/index.js";
import { addon, call } from "../../lib/native/index.js";
import * as loss from "../../lib/loss/index.js";
import * as nn from "../../lib/nn/index.js";
import * as ops from "../../lib/ops/index.js";
import * as optim from "../../lib/optim/index.js";
import { array, compile, Program, type NdArray, type Tensor } from "../../lib/tensor/index.js";
import { Trace, within } from "../../lib/tensor/trace.js";
import { platforms } from "../platforms.js";
import { driftFactor } from "../tolerances.js";
import { readGolden, type GoldenTensor, type ModelCase } from "./read.js";

const golden = readGolden("models");

class Transformer extends nn.Module {
  token = nn.embedding(17, 16);
  position = nn.embedding(8, 16);
  blocks = [0, 1].map(() => nn.transformerBlock({ dim: 16, heads: 2, causal: true }));
  norm = nn.layerNorm(16);
  head = nn.linear(16, 17, { bias: false });

  forward(tokens: Tensor): Tensor {
    const positions = this.position.forward(ops.arange(tokens.shape[1]!)); // (T, C)
    const x = this.token.forward(tokens).add(positions); // (B, T, C)
    return this.head.forward(this.norm.forward(this.blocks.reduce((y, block) => block.forward(y), x)));
  }
}

const models: Record<string, () => nn.Module> = {
  mlp: () => nn.sequential(nn.linear(20, 24), nn.relu(), nn.linear(24, 16), nn.relu(), nn.linear(16, 5)),
  cnn: () =>
    nn.sequential(
      nn.conv2d(2, 4, { kernel: 3 }), nn.relu(),
      nn.conv2d(4, 8, { kernel: 3 }), nn.relu(), nn.maxPool2d(2),
      nn.flatten(), nn.linear(128, 16), nn.relu(), nn.linear(16, 5),
    ), // prettier-ignore
  "cnn-norm": () =>
    nn.sequential(
      nn.conv2d(2, 8, { kernel: 3, stride: 2, padding: 1, bias: false }), nn.batchNorm(8), nn.relu(),
      nn.conv2d(8, 12, { kernel: 3, padding: 1, groups: 4 }), nn.batchNorm(12, { momentum: 0.2 }), nn.relu(),
      nn.maxPool2d({ kernel: 3, stride: 2, padding: 1 }),
      nn.flatten(), nn.linear(108, 16), nn.relu(), nn.linear(16, 5),
    ), // prettier-ignore
  transformer: () => new Transformer(),
};

const optimizers: Record<string, optim.Optimizer> = {
  mlp: optim.adam({ lr: 0.01 }),
  cnn: optim.sgd({ lr: 0.05, momentum: 0.9 }),
  "cnn-norm": optim.sgd({ lr: 0.05, momentum: 0.9, weightDecay: 0.01 }),
  transformer: optim.adamW({
    lr: 3e-3,
    betas: [0.9, 0.95],
    eps: 1e-5,
    weightDecay: 0.1,
    groups: [{ match: (_, { shape }) => shape.length === 1, weightDecay: 0 }],
  }),
};

const ours = (name: string): string => name.replace("running_mean", "runningMean").replace("running_var", "runningVar");

/** Part `i` of the stored batches. */
function batch({ data, shape }: GoldenTensor, i: number): NdArray {
  const size = data.length / shape[0]!;
  return array(data.slice(i * size, (i + 1) * size), shape.slice(1));
}

/** A training step as a program of x, y and the hyper-parameters; gives the loss. */
function trainer(
  model: nn.Module,
  bound: optim.BoundOptimizer,
  x: NdArray,
  y: NdArray,
  device: DeviceName | undefined,
): Program {
  const trace = new Trace({ training: true, device });
  const value = within(trace, () => {
    const logits = model.forward(trace.input("x", x.dtype, x.shape));
    return loss.crossEntropy()(logits, trace.input("y", y.dtype, y.shape));
  });
  const weights = bound.parameters.map((parameter) => trace.parameter(parameter));
  const gradients = trace.gradients(value, weights).map(({ id }) => id);
  const hyper = trace.input("hyper", "f64", bound.hyperShape);
  call(() => trace.graph.optimizerStep(bound.native, gradients, hyper.id));
  trace.commit();
  call(() => trace.graph.setOutputs(["loss"], [value.id]));
  return new Program(trace.compile(), "step");
}

async function run(test: ModelCase, device: DeviceName | undefined) {
  const model = models[test.name]!().assignNames();
  const parameters = new Map(model.namedParameters().map(({ name, parameter }) => [name, parameter]));
  expect([...parameters.keys()].sort()).toEqual(Object.keys(test.start).map(ours).sort());
  for (const [name, key] of Object.entries(test.start)) {
    const { data, shape } = golden.tensor(key);
    parameters.get(ours(name))!.write(array(data, shape));
  }
  const [xs, ys] = [golden.tensor(test.x), golden.tensor(test.y)];
  const bound = optim.bind(optimizers[test.name]!, model.namedParameters());
  const step = trainer(model, bound, batch(xs, 0), batch(ys, 0), device);
  const losses: number[] = [];
  for (let i = 0; i < test.steps; i++) {
    const feeds = { x: batch(xs, i % 4), y: batch(ys, i % 4), hyper: bound.hyperAt(i) };
    losses.push((await step.run(feeds)).loss!.item());
  }
  const logits = await compile((x: Tensor) => model.forward(x), { device }).run(batch(xs, 0));
  return { losses, parameters, logits };
}

/** Largest |a − b|. */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((worst, value, i) => {
    const difference = Math.abs(value - b[i]!);
    return difference <= worst ? worst : difference; // NaN wins
  }, 0);
}

describe.each(platforms)("on $name", ({ isa, device }) => {
  const before = addon.isa();
  beforeAll(() => addon.setIsa(isa ?? before));
  afterAll(() => addon.setIsa(before));

  it.each(golden.record.cases.map((test) => [test.name, test] as const))("%s", async (name, test) => {
    const { losses, parameters, logits } = await run(test, device);
    const check = (what: string, got: ArrayLike<number>, want: ArrayLike<number>, drift: number) =>
      expect(apart(got, want) / drift, `${what}: off by so many drifts of PyTorch`).toBeLessThanOrEqual(driftFactor);
    const { f32, f64 } = test.losses;
    check("losses", losses, f64, apart(f32, f64));
    const [single, double] = [golden.tensor(test.outputs.f32).data, golden.tensor(test.outputs.f64).data];
    check("logits", logits.data, double, apart(single, double));
    for (const [theirs, key] of Object.entries(test.final64)) {
      check(theirs, parameters.get(ours(theirs))!.readSync().data, golden.tensor(key).data, test.drift);
    }
  });
});
