// A shrunk model is the masked one without the zeros: same results, same training from the states that were cut with it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import * as artifact from "../../../lib/artifact/index.js";
import * as loss from "../../../lib/loss/index.js";
import * as nn from "../../../lib/nn/index.js";
import * as optim from "../../../lib/optim/index.js";
import { planStructured, sliceStates, type StructuredOptions } from "../../../lib/prune/structured/index.js";
import { array, seed, type NdArray } from "../../../lib/tensor/index.js";
import * as train from "../../../lib/train/index.js";
import { distance, maskedCopy, outputOf, placesOf, ResidualCnn, uniform, unsettle } from "./structured-models.js";

const image = { dtype: "f32", shape: [3, 8, 8] } as const;
const kinds = ["channels", "neurons", "heads"] as const;

/** As the acceptance of the project says. */
const limit = 1e-5;

beforeEach(() => seed(3));

function compare<M extends nn.Module>(model: M, x: NdArray, options: StructuredOptions): M {
  const plan = planStructured(model, options);
  const before = outputOf(model, x);
  const small = plan.apply();
  const masked = outputOf(maskedCopy(model, plan), x);
  expect(distance(outputOf(small, x), masked)).toBeLessThan(limit);
  expect(distance(masked, before)).toBeGreaterThan(0.01); // what went did matter
  expect(distance(outputOf(model, x), before)).toBe(0);
  expect(small.parameters().reduce((sum, { size }) => sum + size, 0)).toBe(plan.size.after);
  return small;
}

describe("a shrunk model equals the masked one", () => {
  it.each([0.25, 0.5, 0.9])(
    "residual CNN with grouped and depthwise convolutions, concat and flatten: %d",
    (amount) => {
      const model = new ResidualCnn();
      unsettle(model);
      const small = compare(model, uniform([4, 3, 8, 8], 5), {
        structured: kinds.slice(0, 2),
        amount,
        input: image,
      });
      const depthwise = small.inner.layers[6] as nn.Conv2d;
      expect(depthwise.groups).toBe(depthwise.outChannels);
      expect(small.halves.groups).toBe(2);
    },
  );

  it.each([
    { heads: 4, kvHeads: 4, rotary: false },
    { heads: 4, kvHeads: 2, rotary: false },
    { heads: 4, kvHeads: 1, rotary: false },
    { heads: 8, kvHeads: 4, rotary: true },
  ])("transformer block: %o", (shape) => {
    const block = nn.transformerBlock({ dim: 32, hidden: 48, causal: true, ...shape });
    unsettle(block);
    const input = { dtype: "f32", shape: [6, 32] } as const;
    const small = compare(block, uniform([2, 6, 32], 7), {
      structured: kinds,
      amount: 0.5,
      input,
    });
    expect(small.attention.heads).toBe(shape.heads / 2);
    expect(small.attention.depth).toBe(32 / shape.heads);
    expect(small.up.outFeatures).toBe(24);
  });
});

describe("a loaded model", () => {
  const folder = mkdtempSync(join(tmpdir(), "athanor-structured-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    { name: "residual CNN", build: () => new ResidualCnn(), sample: [3, 8, 8] },
    { name: "rotary block", build: () => nn.transformerBlock({ dim: 16, heads: 4, rotary: true }), sample: [5, 16] },
    { name: "block", build: () => nn.transformerBlock({ dim: 16, heads: 4, kvHeads: 2 }), sample: [5, 16] },
  ])("is shrunk without the code that built it, and saved again: $name", async ({ build, sample }) => {
    const model = build();
    unsettle(model);
    const input = { dtype: "f32", shape: sample } as const;
    const path = join(folder, "model");
    await artifact.save(model, path, { input });
    const loaded = await artifact.loadModel(path);
    const x = uniform([4, ...sample], 5);
    const small = compare(loaded, x, { structured: kinds, amount: 0.5, input });
    expect(distance(outputOf(small, x), outputOf(planStructured(model, { structured: kinds, amount: 0.5, input }).apply(), x))).toBeLessThan(limit); // prettier-ignore
    await artifact.save(small, path);
    using served = await artifact.load(path);
    expect(served.parameters).toBe(small.parameters().reduce((sum, { size }) => sum + size, 0));
    expect(distance(await served.predict(x), outputOf(small, x))).toBeLessThan(limit);
  });
});

interface Case {
  readonly name: string;
  readonly optimizer: () => optim.Optimizer;
}
const optimizers: Case[] = [
  { name: "adam", optimizer: () => optim.adam({ lr: 1e-3 }) },
  { name: "adamW", optimizer: () => optim.adamW({ lr: 1e-3, weightDecay: 0.05 }) },
  { name: "rmsProp", optimizer: () => optim.rmsProp({ lr: 1e-3, momentum: 0.9, centered: true }) },
  { name: "adagrad", optimizer: () => optim.adagrad({ lr: 0.01 }) },
  { name: "momentum", optimizer: () => optim.sgd({ lr: 0.01, momentum: 0.9 }) },
];
// Rules that bring every tensor's step to the size of the tensor also bring gradients there that are nothing but rounding, such as those of
// a bias before a norm or of a key; so they are compared on a model without any. Muon's steps go by the extents of a matrix, which stays
// wider than high here.
const wholeTensor: Case[] = [
  { name: "lamb", optimizer: () => optim.lamb({ lr: 1e-3 }) },
  { name: "lars", optimizer: () => optim.lars({ lr: 1, weightDecay: 1e-4 }) },
  { name: "adafactor", optimizer: () => optim.adafactor({ lr: 1e-2 }) },
  { name: "muon", optimizer: () => optim.muon({ lr: 1e-3 }) },
  { name: "prodigy", optimizer: () => optim.prodigy({ d0: 1e-4 }) },
  { name: "scheduleFreeAdamW", optimizer: () => optim.scheduleFreeAdamW({ lr: 1e-3 }) },
];

function stepOf(model: nn.Module, bound: optim.BoundOptimizer) {
  return train.step(model, bound, ({ x, y }) => loss.crossEntropy()(model.forward(x), y));
}

const bind = (model: nn.Module, { optimizer }: Case) => optim.bind(optimizer(), model.assignNames().namedParameters());

describe("training goes on from the states that were cut", () => {
  it.each(optimizers)("as the masked model's does: $name, residual CNN", async (recipe) => {
    const model = new ResidualCnn();
    await follow(model, recipe, { structured: kinds.slice(0, 2), amount: 0.5, input: image }, [3, 8, 8]);
  });

  it.each(optimizers)("as the masked model's does: $name, transformer block", async (recipe) => {
    const block = nn.transformerBlock({ dim: 16, heads: 4, hidden: 24 });
    const model = nn.sequential(block, nn.flatten(), nn.linear(5 * 16, 5));
    const input = { dtype: "f32", shape: [5, 16] } as const;
    await follow(model, recipe, { structured: ["neurons", "heads"], amount: 0.5, input }, [5, 16]);
  });

  it.each([...optimizers, ...wholeTensor])("as the masked model's does: $name, layers of neurons", async (recipe) => {
    const model = nn.sequential(nn.linear(24, 16), nn.tanh(), nn.linear(16, 16), nn.tanh(), nn.linear(16, 5));
    const input = { dtype: "f32", shape: [24] } as const;
    await follow(model, recipe, { structured: ["neurons"], amount: 0.5, input }, [24]);
  });
});

async function follow(model: nn.Module, recipe: Case, options: StructuredOptions, sample: readonly number[]) {
  const batch = (k: number) => ({
    x: uniform([16, ...sample], 100 + k),
    y: array(Int32Array.from({ length: 16 }, (_, i) => (i * 7 + k) % 5)),
  });
  using bound = bind(model, recipe);
  const dense = stepOf(model, bound);
  for (let k = 0; k < 5; k++) await dense.run(batch(k));

  const plan = planStructured(model, options);
  const states = bound.stateDict();
  const [small, masked] = [plan.apply(), maskedCopy(model, plan)];
  using smallBound = bind(small, recipe);
  smallBound.loadStateDict(sliceStates(plan, states));
  using maskedBound = bind(masked, recipe);
  const places = placesOf(plan);
  maskedBound.loadStateDict({ steps: states.steps, states: maskedStates(states.states, places, masked) });

  const [a, b] = [stepOf(small, smallBound), stepOf(masked, maskedBound)];
  for (let k = 0; k < 20; k++) {
    const [one, other] = [await a.run(batch(k)), await b.run(batch(k))];
    expect(Math.abs(one.loss - other.loss)).toBeLessThan(limit * Math.max(1, other.loss));
  }
  const kept = new Map(small.namedParameters().map(({ name, parameter }) => [name, parameter]));
  for (const { name, parameter } of masked.namedParameters()) {
    const wanted = plan.slice(name, parameter.readSync());
    expect(distance(kept.get(name)!.readSync(), wanted), name).toBeLessThan(limit);
  }
}

function maskedStates(
  states: Readonly<Record<string, NdArray>>,
  places: ReadonlyMap<string, number[]>,
  model: nn.Module,
) {
  const shapes = new Map(model.namedParameters().map(({ name, parameter }) => [name, parameter.shape]));
  return Object.fromEntries(
    Object.entries(states).map(([key, values]) => {
      const name = key.slice(0, key.lastIndexOf("."));
      const kept = places.get(name);
      if (!kept || key.endsWith(".estimate")) return [key, values]; // that is of the run
      const data = new Float32Array(values.size);
      for (const element of kept) {
        const place = projected(element, shapes.get(name)!, values.shape);
        data[place] = values.data[place]!;
      }
      return [key, array(data, values.shape)];
    }),
  );
}

// The place of an element in an array with fewer axes: those of extent 1 are means over the element's.
function projected(element: number, shape: readonly number[], extents: readonly number[]): number {
  let [place, stride, rest] = [0, 1, element];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const at = rest % shape[axis]!;
    rest = (rest - at) / shape[axis]!;
    if (extents[axis] === shape[axis]) place += at * stride;
    stride *= extents[axis]!;
  }
  return place;
}
