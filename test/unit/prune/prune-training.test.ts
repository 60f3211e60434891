// Pruning while training: masks change exactly at the schedule's steps, live through the run and its early stopping, and a lottery
// ticket starts again from its early weights. The oracle is the same thing done by hand, step by step.
import { describe, expect, it } from "vitest";
import {
  array,
  distill,
  loss,
  nativeBytes,
  nn,
  optim,
  prune,
  schedule,
  seed,
  train,
  type Tensor,
} from "../../../lib/index.js";

const rows = 60;
const numbers = (n: number, shift: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.7 + shift));
const data = { x: array(numbers(rows * 6, 0), [rows, 6]), y: array(numbers(rows * 2, 1), [rows, 2]) };
const batch = (step: number, size = 10) => {
  const row = (step * size) % rows;
  const part = (a: typeof data.x, width: number) =>
    array(a.data.slice(row * width, (row + size) * width), [size, width]);
  return { x: part(data.x, 6), y: part(data.y, 2) };
};

function mlp(): nn.Sequential {
  seed(5);
  return nn.sequential(nn.linear(6, 16), nn.tanh(), nn.linear(16, 2));
}

const read = (model: nn.Module) =>
  model.parameters().map((parameter) => [...(parameter.readSync().data as Float32Array)]);
const zeros = (model: nn.Module) =>
  model.parameters().reduce((sum, parameter) => sum + (parameter.readSync().data as Float32Array).filter((v) => v === 0).length, 0); // prettier-ignore
const weights = 6 * 16 + 16 * 2;
const optimizer = () => optim.adamW({ lr: 0.02, weightDecay: 0.05 });
const recipe = { data, loss: loss.mse(), batchSize: 10, shuffle: false };

/** Steps `from` to before `to` by hand. */
async function byHand(model: nn.Module, rule: optim.Optimizer, from: number, to: number, each?: (taken: number) => Promise<void>) {
  using step = train.step(model, rule, ({ x, y }: { x: Tensor; y: Tensor }) => loss.mse()(model.forward(x), y));
  for (let t = from; t < to; t++) {
    await step.run(batch(t));
    await each?.(t + 1);
  }
} // prettier-ignore

describe("a schedule", () => {
  it("changes the masks exactly at its steps", async () => {
    const plan = prune.cubic({ start: 7, steps: 30, every: 9, initial: 0.2 });
    const model = mlp();
    const pruned = await prune(model, {
      amount: 0.8,
      schedule: plan,
      during: { ...recipe, optimizer: optimizer(), steps: 50 },
    });
    const hand = mlp();
    await byHand(hand, optimizer(), 0, 50, async (taken) => {
      if ([7, 16, 25, 34, 37].includes(taken)) await prune.mask(hand, { amount: plan.at(taken, 0.8) });
    });
    expect(read(pruned)).toEqual(read(hand));
    expect(zeros(pruned)).toBe(Math.round(0.8 * 96) + Math.round(0.8 * 32));
    expect(read(model)).toEqual(read(mlp()));
  });

  it("prunes before the first step where it starts at 0, and in rounds of fine-tuning", async () => {
    const pruned = await prune(mlp(), {
      amount: 0.75,
      scope: "global",
      schedule: prune.iterative({ rounds: 2, steps: 12 }),
      during: { ...recipe, optimizer: optimizer(), steps: 24 },
    });
    const hand = mlp();
    await prune.mask(hand, { amount: 0.5, scope: "global" });
    await byHand(hand, optimizer(), 0, 24, async (taken) => {
      if (taken === 12) await prune.mask(hand, { amount: 0.75, scope: "global" });
    });
    expect(read(pruned)).toEqual(read(hand));
    expect(zeros(pruned)).toBe(0.75 * weights);
  });

  it("grows N:M and blocks as well", async () => {
    const nm = await prune(mlp(), {
      structure: "1:2",
      schedule: prune.oneShot({ at: 5 }),
      during: { ...recipe, optimizer: optimizer(), steps: 10 },
    });
    expect(zeros(nm)).toBe(weights / 2);
    const blocks = await prune(mlp(), {
      amount: 0.5,
      structure: { block: [2, 2] },
      schedule: prune.linear({ steps: 8, every: 2 }),
      during: { ...recipe, optimizer: optimizer(), steps: 10 },
    });
    expect(zeros(blocks)).toBe(weights / 2);
  });

  it("gives the same model again for the same seed, the criterion's chance included", async () => {
    const once = async (seed: number) => {
      const during = { ...recipe, shuffle: true, seed: 3, optimizer: optimizer(), epochs: 4 };
      const schedule = prune.cubic({ steps: 12, every: 3 });
      return read(await prune(mlp(), { amount: 0.5, criterion: prune.random, schedule, seed, during }));
    };
    const first = await once(1);
    expect(await once(1)).toEqual(first);
    expect(await once(2)).not.toEqual(first);
  });

  it("goes by what the criterion reads of the weights at each step", async () => {
    const plan = prune.linear({ steps: 20, every: 10 });
    const options = { criterion: prune.taylor, calibrate: data, loss: loss.mse(), batchSize: 20 };
    const pruned = await prune(mlp(), {
      ...options,
      amount: 0.6,
      schedule: plan,
      during: { ...recipe, optimizer: optimizer(), steps: 30 },
    });
    const hand = mlp();
    await byHand(hand, optimizer(), 0, 30, async (taken) => {
      if (taken === 10 || taken === 20) await prune.mask(hand, { ...options, amount: plan.at(taken, 0.6) });
    });
    expect(read(pruned)).toEqual(read(hand));
  });
});

describe("movement", () => {
  it("is the sum of −w · g over the steps so far", async () => {
    const lr = 0.05;
    const steps = 20;
    const free = mlp();
    const name = "0.weight";
    const moved = new Float64Array(96);
    let before = read(free)[0]!;
    await byHand(free, optim.sgd({ lr }), 0, steps, () => {
      const after = read(free)[0]!;
      // Plain SGD: w' = w - lr g.
      after.forEach((w, i) => (moved[i]! += (-before[i]! * (before[i]! - w)) / lr));
      before = after;
      return Promise.resolve();
    });
    const pruned = await prune(mlp(), {
      amount: { [name]: 0.5 },
      criterion: prune.movement,
      schedule: prune.oneShot({ at: steps }),
      during: { ...recipe, optimizer: optim.sgd({ lr }), steps },
    });
    const order = [...moved.keys()].sort((a, b) => moved[a]! - moved[b]!);
    const gone = new Set(order.slice(0, 48));
    const want = Array.from(moved, (_, i) => (gone.has(i) ? 0 : 1));
    expect([...pruned.parameters()[0]!.readMask()!]).toEqual(want);
  });
});

describe("the way out", () => {
  it("is the best model under the whole mask, with early stopping", async () => {
    const ends: number[] = [];
    const pruned = await prune(mlp(), {
      amount: 0.75,
      schedule: prune.cubic({ steps: 24, every: 6 }),
      during: {
        ...recipe,
        optimizer: optim.sgd({ lr: 0 }), // nothing improves, so that the run would be over after its second epoch
        epochs: 20,
        validate: { on: data },
        earlyStopping: { monitor: "val.loss", patience: 2 },
        callbacks: { onEnd: ({ best, steps }) => ends.push(best!.steps, steps) },
      },
    });
    expect(ends).toEqual([24, 36]);
    expect(zeros(pruned)).toBe(0.75 * weights);
  });

  it("restores the weights that were best with the mask on them", async () => {
    let best = 0;
    const pruned = await prune(mlp(), {
      amount: 0.5,
      during: {
        ...recipe,
        optimizer: optim.sgd({ lr: schedule.piecewise([[0, 0.1], [18, 5]]) }), // falls apart after three epochs
        epochs: 8,
        validate: { on: data },
        earlyStopping: { monitor: "val.loss", patience: 2 },
        callbacks: { onEnd: (result) => (best = result.best!.steps) },
      },
    }); // prettier-ignore
    expect(best).toBe(18);
    expect(zeros(pruned)).toBe(weights / 2);
    await byHand(pruned, optimizer(), 0, 3);
    expect(zeros(pruned)).toBe(weights / 2);
  });

  it("leaves the model alone when it is aborted, by either signal", async () => {
    for (const inner of [true, false]) {
      const controller = new AbortController();
      const model = mlp();
      const run = prune(model, {
        amount: 0.9,
        schedule: prune.cubic({ steps: 1000, every: 10 }),
        ...(inner ? {} : { signal: controller.signal }),
        during: {
          ...recipe,
          optimizer: optimizer(),
          steps: 1_000_000,
          ...(inner ? { signal: controller.signal } : {}),
          callbacks: { onStep: ({ index }) => index === 500 && controller.abort() },
        },
      });
      await expect(run).rejects.toMatchObject({ name: "AbortError" });
      expect(read(model)).toEqual(read(mlp()));
    }
  });

  it("is trained on with the mask in place", async () => {
    const pruned = await prune(mlp(), { amount: 0.5 });
    const before = read(pruned);
    await train.fit(pruned, data, { loss: loss.mse(), optimizer: optimizer(), epochs: 3, batchSize: 10 });
    expect(zeros(pruned)).toBe(weights / 2);
    expect(read(pruned)).not.toEqual(before);
    const copy = pruned.clone();
    await byHand(copy, optimizer(), 0, 3);
    expect(zeros(copy)).toBe(weights / 2);
  });
});

describe("a lottery ticket", () => {
  it.each([0, 13])("goes back to its weights at step %i under the mask of each round", async (rewindTo) => {
    const steps = 30;
    const ticket = await prune(mlp(), {
      amount: 0.75,
      schedule: prune.lottery({ rounds: 2, rewindTo }),
      during: { ...recipe, optimizer: optimizer(), steps },
    });
    const hand = mlp();
    let early = rewindTo === 0 ? read(hand) : [];
    const keep = (taken: number) => {
      if (taken === rewindTo) early = read(hand);
      return Promise.resolve();
    };
    await byHand(hand, optimizer(), 0, steps, keep);
    for (const amount of [0.5, 0.75]) {
      await prune.mask(hand, { amount });
      hand.parameters().forEach((parameter, i) => {
        const mask = parameter.readMask();
        const values = early[i]!.map((value, at) => (mask?.[at] === 0 ? 0 : value));
        parameter.write(array(values, parameter.shape));
      });
      await byHand(hand, optimizer(), rewindTo, steps);
    }
    expect(read(ticket)).toEqual(read(hand));
    expect(zeros(ticket)).toBe(0.75 * weights);
  });
});

describe("a run", () => {
  it("takes the dense model as teacher", async () => {
    const teacher = mlp();
    const taught = (alpha: number) =>
      prune(teacher, {
        amount: 0.5,
        schedule: prune.cubic({ steps: 10 }),
        during: {
          ...recipe,
          optimizer: optimizer(),
          steps: 30,
          distill: distill.kd({ teacher, temperature: 2, alpha }),
        },
      });
    const [alone, both] = [await taught(0), await taught(0.9)];
    expect([zeros(alone), zeros(both)]).toEqual([weights / 2, weights / 2]);
    expect(read(both)).not.toEqual(read(alone));
    const plain = { ...recipe, optimizer: optimizer(), steps: 30 };
    const without = await prune(teacher, { amount: 0.5, schedule: prune.cubic({ steps: 10 }), during: plain });
    alone.parameters().forEach((parameter, i) => {
      const [a, b] = [parameter.readSync().data, without.parameters()[i]!.readSync().data];
      expect(Math.max(...Array.from(a, (value, at) => Math.abs(value - b[at]!)))).toBeLessThan(1e-5);
    });
  });

  it("leaves nothing behind", async () => {
    const model = mlp();
    const once = async () => {
      using pruned = await prune(model, {
        amount: 0.8,
        criterion: prune.taylor,
        schedule: prune.lottery({ rounds: 2, rewindTo: 2 }),
        during: { ...recipe, optimizer: optimizer(), steps: 8 },
      });
      using packed = await prune.pack(pruned);
      await train.fit(packed, data, { loss: loss.mse(), optimizer: optimizer(), batchSize: 10 });
      const broken = prune(model, { amount: 0.5, criterion: ({ weight }) => weight.mul(NaN) });
      await expect(broken).rejects.toMatchObject({ code: "ERR_ATHANOR_NONFINITE" });
      return nativeBytes();
    };
    const first = await once();
    // What earlier tests left to the garbage collector may go meanwhile.
    for (let i = 0; i < 3; i++) expect(await once()).toBeLessThanOrEqual(first);
  });
});
