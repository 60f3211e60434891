// Training on the emulated device: the CPU's course, its errors and its endings, in one replay a step.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  array,
  artifact,
  data,
  loss,
  metrics,
  nn,
  NonFiniteError,
  optim,
  schedule,
  seed,
  train,
} from "../../lib/index.js";
import { built, emulated, withEnvironment } from "./emulated.js";

const ROWS = 100;
const set = data.fromArrays({
  x: array(
    Float32Array.from({ length: ROWS * 12 }, (_, i) => Math.sin(i * 1.7)),
    [ROWS, 12],
  ),
  y: array(
    Int32Array.from({ length: ROWS }, (_, i) => i % 3),
    [ROWS],
  ),
});

function mlp(depth = 1): nn.Module {
  seed(4);
  const hidden = Array.from({ length: depth }, () => [nn.linear(16, 16), nn.relu()]).flat();
  return nn.sequential(nn.linear(12, 16), nn.relu(), ...hidden, nn.linear(16, 3)).assignNames();
}

const weightsOf = (model: nn.Module): number[] =>
  model.parameters().flatMap((parameter) => Array.from(parameter.readSync().data as Float32Array));

/** Trains on a device, 32 rows a step and a last step of 4; the losses of all steps. */
async function fitted(model: nn.Module, options: Partial<train.FitOptions> = {}) {
  const losses: number[] = [];
  const run = train.fit(model, set, {
    loss: loss.crossEntropy(),
    optimizer: optim.adamW({ lr: 1e-2, clipNorm: 1 }),
    batchSize: 32,
    epochs: 3,
    seed: 9,
    ...options,
  });
  for await (const event of run) losses.push(event.loss);
  return { losses, result: await run };
}

function near(got: readonly number[], want: readonly number[], tolerance = 1e-4): void {
  expect(got.length).toBe(want.length);
  want.forEach((value, i) => expect(Math.abs(got[i]! - value), `${i}`).toBeLessThanOrEqual(tolerance));
}

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "athanor-device-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(!built)("train.fit on the emulated device", () => {
  it("takes the CPU's course, uneven batches, clipping, schedules, dropout and validation included", async () => {
    const net = () => {
      seed(4);
      return nn.sequential(nn.linear(12, 24), nn.relu(), nn.dropout(0.2), nn.linear(24, 3)).assignNames();
    };
    const options: Partial<train.FitOptions> = {
      optimizer: optim.adamW({ lr: schedule.cosine({ peak: 1e-2, warmup: 0.2 }), clipNorm: 0.5 }),
      validate: { on: set, metrics: { accuracy: metrics.accuracy() } },
    };
    const [here, there] = [net(), net()];
    const want = await fitted(here, options);
    const got = await fitted(there, { ...options, device: emulated });
    near(got.losses, want.losses);
    near(weightsOf(there), weightsOf(here));
    near(
      got.result.validations.map(({ metrics }) => metrics["val.loss"]!),
      want.result.validations.map(({ metrics }) => metrics["val.loss"]!),
    );
  });

  it.each<[string, () => optim.Optimizer]>([
    ["sgd", () => optim.sgd({ lr: 0.1 })],
    ["momentum", () => optim.momentum({ lr: 0.05, weightDecay: 0.01 })],
    ["nesterov", () => optim.nesterov({ lr: 0.05 })],
    ["adam", () => optim.adam({ lr: 1e-2, clipValue: 0.1 })],
    ["rmsProp", () => optim.rmsProp({ lr: 1e-2 })],
    ["adagrad", () => optim.adagrad({ lr: 5e-2 })],
    ["lamb", () => optim.lamb({ lr: 1e-2 })],
    ["lars", () => optim.lars({ lr: 0.5, momentum: 0.9, trust: 0.02 })],
    ["adafactor", () => optim.adafactor({ lr: 1e-2 })],
    ["prodigy", () => optim.prodigy({ lr: 1, d0: 1e-3 })],
    ["scheduleFreeAdamW", () => optim.scheduleFreeAdamW({ lr: 1e-2 })],
  ])("follows the CPU with %s", async (_, optimizer) => {
    const [here, there] = [mlp(), mlp()];
    const want = await fitted(here, { optimizer: optimizer() });
    const got = await fitted(there, { optimizer: optimizer(), device: emulated });
    near(got.losses, want.losses);
    near(weightsOf(there), weightsOf(here));
  });

  it("gives the same bits again, and captured the bits of uncaptured steps", async () => {
    const [first, again, uncaptured] = [mlp(), mlp(), mlp()];
    await fitted(first, { device: emulated });
    await fitted(again, { device: emulated });
    await withEnvironment("ATHANOR_CUDA_GRAPHS", "0", () => fitted(uncaptured, { device: emulated }));
    expect(weightsOf(again)).toEqual(weightsOf(first));
    expect(weightsOf(uncaptured)).toEqual(weightsOf(first));
  });

  it("keeps masked weights and their states at zero", async () => {
    const [here, there] = [mlp(), mlp()];
    for (const model of [here, there]) {
      const [weight] = model.parameters();
      weight!.setMask(Uint8Array.from({ length: weight!.size }, (_, i) => (i % 3 === 0 ? 0 : 1)));
    }
    await fitted(here);
    await fitted(there, { device: emulated });
    const weight = there.parameters()[0]!.readSync().data;
    for (let i = 0; i < weight.length; i += 3) expect(weight[i]).toBe(0);
    near(weightsOf(there), weightsOf(here));
  });

  it("stops at a loss that is not finite, with the weights of the step before", async () => {
    const model = mlp();
    const other = mlp();
    const explode = optim.sgd({ lr: 1e30 });
    const message = (thrown: unknown) => (thrown as Error).message;
    const want = await fitted(other, { optimizer: explode }).catch((thrown: unknown) => thrown);
    const got = await fitted(model, { optimizer: explode, device: emulated }).catch((thrown: unknown) => thrown);
    expect(got).toBeInstanceOf(NonFiniteError);
    expect(message(got).replace(/lr [^)]*\)/, "")).toBe(message(want).replace(/lr [^)]*\)/, ""));
    expect(weightsOf(model).every(Number.isFinite)).toBe(true);
  });

  it("says the CPU's sentence of a label that is no class, and the step has changed nothing", async () => {
    const labels = Int32Array.from(set.y.data);
    labels[57] = 8;
    const wrong = data.fromArrays({ x: set.x, y: array(labels, [ROWS]) });
    const attempt = async (device: "cpu" | "cuda-emulated") => {
      const model = mlp();
      const run = train.fit(model, wrong, {
        loss: loss.crossEntropy(),
        optimizer: optim.sgd({ lr: 0.1 }),
        batchSize: ROWS,
        seed: 2,
        device,
      });
      const message = await run.then(
        () => "nothing was thrown",
        (thrown: unknown) => (thrown as Error).message,
      );
      return { message, weights: weightsOf(model) };
    };
    const [want, got] = [await attempt("cpu"), await attempt(emulated)];
    expect(got.message).toBe(want.message);
    expect(got.message).toMatch(/label 8 of row \d+ is no class, expected 0 to 2/);
    expect(got.weights).toEqual(weightsOf(mlp()));
  });

  it("is given up when its signal fires, the weights whole", async () => {
    const controller = new AbortController();
    const model = mlp();
    const run = fitted(model, {
      device: emulated,
      epochs: 1000,
      signal: controller.signal,
      callbacks: { onStep: ({ index }) => index === 5 && controller.abort() },
    });
    await expect(run).rejects.toThrow(/aborted/);
    expect(weightsOf(model).every(Number.isFinite)).toBe(true);
  });

  it("goes on from a checkpoint of the other device, either way", async () => {
    const whole = mlp();
    await fitted(whole, { epochs: 4 });
    const devices = ["cpu", emulated] as const;
    for (const [first, second] of [devices, [...devices].reverse()] as const) {
      const dir = join(folder, `from-${first}`);
      const checkpoint = { dir, every: "epoch" } as const;
      await fitted(mlp(), { epochs: 2, device: first, checkpoint });
      const model = mlp();
      const { result } = await fitted(model, {
        epochs: 4,
        device: second,
        checkpoint,
        resume: "auto",
        allow: ["length"],
      });
      expect(result.resumed).toBe(8);
      near(weightsOf(model), weightsOf(whole));
    }
  });
});

describe.skipIf(!built)("beside fit", () => {
  it("train.step takes the CPU's steps", async () => {
    const losses = async (device: "cpu" | "cuda-emulated") => {
      const model = mlp();
      const step = train.step(model, optim.adam({ lr: 1e-2 }), ({ x, y }) => loss.crossEntropy()(model.forward(x), y), {
        device,
      });
      const found: number[] = [];
      for (let i = 0; i < 5; i++) found.push((await step.run({ x: set.x, y: set.y })).loss);
      step.dispose();
      return found;
    };
    near(await losses(emulated), await losses("cpu"));
  });

  it("train.predict and train.evaluate give what the CPU gives, of a model that either trained", async () => {
    const model = mlp();
    await fitted(model, { device: emulated });
    const [want, got] = [
      await train.predict(model, set.x, { batchSize: 30 }),
      await train.predict(model, set.x, { batchSize: 30, device: emulated }),
    ];
    near(Array.from(got.data as Float32Array), Array.from(want.data as Float32Array));
    const options = { loss: loss.crossEntropy(), metrics: { accuracy: metrics.accuracy() }, batchSize: 30 };
    const here = await train.evaluate(model, set, options);
    const there = await train.evaluate(model, set, { ...options, device: emulated });
    expect(there.accuracy).toBe(here.accuracy);
    expect(there.loss).toBeCloseTo(here.loss, 5);
  });

  it("a model saved after training there is served on either", async () => {
    const model = mlp();
    await fitted(model, { device: emulated });
    const path = join(folder, "served");
    await artifact.save(model, path);
    const want = (await artifact.load(path)).predictSync(set.x);
    const served = await artifact.load(path, { device: emulated });
    near(Array.from(served.predictSync(set.x).data as Float32Array), Array.from(want.data as Float32Array));
    expect((await served.predict(set.x)).data).toEqual(served.predictSync(set.x).data);
    served.dispose();
  });
});
