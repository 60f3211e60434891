// No run ends with NaN or Infinity in the weights, and none says nothing: hyper-parameters that f32 does not hold, updates that are
// not finite although loss and gradients are, running statistics that overflow.
import { describe, expect, it } from "vitest";
import {
  array,
  compile,
  data,
  distill,
  loss,
  nn,
  optim,
  Parameter,
  seed,
  train,
  type Tensor,
} from "../../../lib/index.js";
import { bind } from "../../../lib/optim/index.js";

const finite = (net: nn.Module) =>
  net.parameters().every((parameter) => parameter.readSync().data.every(Number.isFinite));

describe("hyper-parameters in f32", () => {
  it.each<[string, () => unknown, RegExp]>([
    ["an infinite rate", () => optim.sgd({ lr: 1e300 }), /optim\.sgd: lr must be in \[0, inf\), got 1e\+300, which is Infinity in f32/],
    ["an epsilon of 0 in f32", () => optim.adamW({ eps: 1e-50 }), /optim\.adamW: eps must be 0 or at least 1\.2e-38, .* got 1e-50/],
    ["a denormal epsilon", () => optim.rmsProp({ eps: 1e-40 }), /eps must be 0 or at least 1\.2e-38/],
    ["a rate of 0 in f32", () => optim.adagrad({ lr: 1e-60 }), /lr must be 0 or at least/],
    ["a decay that is 1 in f32", () => optim.adam({ beta2: 1 - 1e-9 }), /beta2 must be in \[0, 1\), got 0\.999999999, which is 1 in f32/],
    ["one of a group", () => optim.sgd({ groups: [{ match: /bias/, momentum: 1e39 }] }), /groups\[0\]: momentum must be in \[0, inf\), got 1e\+39/],
    ["NaN", () => optim.sgd({ lr: NaN }), /got NaN/],
    ["a norm of NaN", () => optim.sgd({ clipNorm: NaN }), /clipNorm must be a number above 0, got NaN/],
    ["an infinite value of the wrong sign", () => optim.sgd({ clipValue: -Infinity }), /got -Infinity/],
    ["a limit of 0 in f32", () => optim.sgd({ clipValue: 1e-60 }), /clipValue must be 0 or at least|clipValue must be/],
    ["betas with NaN", () => optim.adam({ betas: [NaN] as never }), /betas must be two .* got an array of 1 number/],
    ["a big number", () => optim.sgd({ clipNorm: 3n as never }), /got 3n/],
    ["a loss' width", () => loss.huber({ delta: 1e-50 }), /delta must be a number above 0, got 1e-50, which is 0 in f32/],
    ["a loss' weight", () => loss.bceWithLogits({ posWeight: 1e300 }), /posWeight .* got 1e\+300, which is Infinity in f32/],
    ["an epsilon of a layer", () => nn.layerNorm(4, { eps: 1e-60 }), /eps must be a number above 0, got 1e-60/],
    ["a temperature", () => compile((a, b) => distill.losses.kd(a as never, b as never, { temperature: 1e-60 })).runSync(array([1, 2], [1, 2]), array([1, 2], [1, 2])), /temperature must be a number above 0, got 1e-60/],
  ])("refuses %s", (_, attempt, message) => {
    expect(attempt).toThrow(message);
  }); // prettier-ignore

  it("lets a schedule fade away, but not eps, and refuses what leaves the range", () => {
    const net = nn.linear(2, 1);
    const at = (options: Parameters<typeof optim.adam>[0]) => {
      using bound = bind(optim.adam(options), net.assignNames().namedParameters());
      return () => bound.hyperAt(7, 10);
    };
    expect(at({ lr: () => 1e-60 })).not.toThrow();
    expect(at({ eps: () => 1e-60 })).toThrow(/eps at step 7 must be 0 or at least 1\.2e-38/);
    expect(at({ lr: () => 1e39 })).toThrow(/lr at step 7 must be in \[0, inf\), got 1e\+39, which is Infinity in f32/);
  });
});

describe("an update that is not finite", () => {
  // f(x) = w · x with no gradient for the second weight, whose input is always 0.
  const set = data.fromArrays({
    x: array(Float32Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1 : 0)), [20, 2]),
    y: array(Float32Array.from({ length: 20 }, (_, i) => i), [20, 1]),
  }); // prettier-ignore
  const recipe = { loss: loss.mse(), batchSize: 20, epochs: 3 };

  it.each<[string, optim.Optimizer]>([
    ["adam", optim.adam({ eps: 0 })],
    ["adamW with AMSGrad", optim.adamW({ eps: 0, amsgrad: true })],
    ["rmsProp", optim.rmsProp({ eps: 0 })],
    ["rmsProp with momentum", optim.rmsProp({ eps: 0, momentum: 0.9 })],
    ["adagrad", optim.adagrad({ eps: 0 })],
    ["adamW, clipped", optim.adamW({ eps: 0, clipNorm: 1 })],
  ])("fails the run by the parameter's name and reaches no weight: %s with eps 0", async (_, optimizer) => {
    seed(1);
    const net = nn.sequential(nn.linear(2, 1, { bias: false }));
    const before = net.parameters()[0]!.readSync().data[1];
    const run = train.fit(net, set, { ...recipe, optimizer });
    await expect(run).rejects.toMatchObject({
      code: "ERR_ATHANOR_NONFINITE",
      message: expect.stringMatching(
        /^train\.fit: the update of "0\.weight" is not finite at step 0 .*kept their values.*eps/,
      ) as string,
    });
    expect(finite(net)).toBe(true);
    expect(net.parameters()[0]!.readSync().data[1]).toBe(before);
  });

  it("stops at that very step, whatever the chunk, and brings the best weights back", async () => {
    const net = nn.sequential(nn.linear(2, 1, { bias: false }));
    const steps: number[] = [];
    let best: unknown;
    const run = train.fit(net, set, {
      ...recipe,
      epochs: 60,
      optimizer: optim.adam({ eps: (step) => (step < 41 ? 1e-8 : 0) }),
      earlyStopping: { monitor: "loss", patience: 100 },
      callbacks: {
        onStep: ({ index }) => steps.push(index),
        onEpoch: ({ epoch }) => epoch === 40 && (best = net.parameters()[0]!.readSync().data),
      },
    });
    await expect(run).rejects.toThrow(
      /at step 41 .*the model has the weights of its best check again \(epoch 40, step 41\)/,
    );
    expect(steps.at(-1)).toBe(40);
    expect(net.parameters()[0]!.readSync().data).toEqual(best);
  });

  it("goes no further after a gradient that is not finite either", async () => {
    const w = new Parameter([1], { fill: nn.init.ones() });
    const rate = 0.5;
    // x² under a root: the gradient of the root is infinite at 0 while the loss is 0.
    const model = (x: Tensor) => x.mul(w).square().sqrt();
    const zero = data.fromArrays({ x: array(new Float32Array(64), [64, 1]), y: array(new Float32Array(64), [64, 1]) });
    for (const clipNorm of [undefined, 1]) {
      const run = train.fit(model, zero, {
        loss: loss.mae(),
        optimizer: optim.sgd({ lr: rate, clipNorm }),
        batchSize: 1,
        epochs: 3,
      });
      await expect(run).rejects.toMatchObject({ code: "ERR_ATHANOR_NONFINITE" });
      expect(w.readSync().item()).toBe(1);
    }
  });

  it("is told by a step of one's own, which may go on", async () => {
    seed(1);
    const net = nn.linear(2, 1, { bias: false });
    using step = train.step(net, optim.adam({ eps: 0 }), ({ x, y }) => loss.mse()(net.forward(x), y));
    const batch = (b: number) => ({ x: array([1, b], [1, 2]), y: array([3], [1, 1]) });
    await expect(step.run(batch(0))).rejects.toThrow(/train\.step: the update of "weight" is not finite at step 0/);
    expect(finite(net)).toBe(true);
    expect((await step.run(batch(1))).loss).toBeGreaterThan(0);
  });

  it("finds running statistics that overflow", async () => {
    const net = nn.sequential(nn.batchNorm(2), nn.linear(2, 1));
    const huge = data.fromArrays({ x: array([3e38, -3e38, 1, 2], [2, 2]), y: array([0, 0], [2, 1]) });
    const run = train.fit(net, huge, { ...recipe, batchSize: 2, optimizer: optim.sgd({ lr: 1e-3 }) });
    await expect(run).rejects.toMatchObject({ code: "ERR_ATHANOR_NONFINITE" });
  });
});
