// Rates that fall when a figure no longer improves, within a run: on top of the schedule, with validation and without, and over a resume.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { array, data, loss, nn, optim, schedule, seed, train, type FitOptions } from "../../../lib/index.js";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "plateau-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const samples = (count: number, shift: number): data.Dataset => {
  const x = Float32Array.from({ length: count * 3 }, (_, i) => Math.sin(i * 12.9898 + shift));
  const y = Float32Array.from({ length: count }, (_, row) => x[row * 3]! - 2 * x[row * 3 + 1]! + Math.sin(row * 7 + shift)); // prettier-ignore
  return data.fromArrays({ x: array(x, [count, 3]), y: array(y, [count, 1]) });
};
const set = samples(40, 0);

/** A run of 10 steps an epoch with the rate of every step. */
async function ran(options: Partial<FitOptions>) {
  seed(3);
  const rates: number[] = [];
  const model = nn.linear(3, 1);
  const run = train.fit(model, set, {
    loss: loss.mse(),
    optimizer: optim.adam({ lr: 0.4 }),
    batchSize: 4,
    epochs: 12,
    callbacks: { onStep: ({ lr, index }) => void (rates[index] = lr) },
    ...options,
  });
  const result = await run;
  return { result, rates, weights: model.parameters().map((parameter) => [...parameter.readSync().data]) };
}

/** PyTorch's rule on the metrics that a run records. */
function factors(values: readonly number[], patience: number, factor: number): number[] {
  let [best, bad, scale] = [Infinity, 0, 1];
  return values.map((value) => {
    if (value < best * (1 - 1e-4)) [best, bad] = [value, 0];
    else bad += 1;
    if (bad > patience) [scale, bad] = [scale * factor, 0];
    return scale;
  });
}

describe("reduceOnPlateau", () => {
  it("lowers the rates from the step after the check on, on top of their schedule", async () => {
    const lr = schedule.linear({ initial: 0.4, final: 0.2 });
    const { result, rates } = await ran({
      optimizer: optim.adam({ lr }),
      validate: { on: samples(12, 5) },
      reduceOnPlateau: { monitor: "val.loss", factor: 0.5, patience: 0 },
    });
    const scales = factors(result.validations.map(({ metrics }) => (metrics as { "val.loss": number })["val.loss"]), 0, 0.5); // prettier-ignore
    expect(new Set(scales).size).toBeGreaterThan(2);
    rates.forEach((rate, step) => {
      const epoch = Math.floor(step / 10);
      expect(rate, `step ${step}`).toBeCloseTo(lr(step, 120) * (epoch === 0 ? 1 : scales[epoch - 1]!), 12);
    });
  });

  it("watches the training loss once an epoch", async () => {
    const { result, rates } = await ran({ reduceOnPlateau: { monitor: "loss", factor: 0.25, patience: 1 } });
    const scales = factors(result.history.map(({ metrics }) => metrics.loss), 1, 0.25); // prettier-ignore
    expect(new Set(scales).size).toBeGreaterThan(1);
    rates.forEach((rate, step) => {
      expect(rate / 0.4, `step ${step}`).toBeCloseTo(step < 10 ? 1 : scales[Math.floor(step / 10) - 1]!, 12);
    });
  });

  it("goes on from a checkpoint with the rates of an undisturbed run", async () => {
    const common = { reduceOnPlateau: { monitor: "loss", factor: 0.5, patience: 0 } } as const;
    const undisturbed = await ran(common);
    for (const cut of [5, 6, 7, 8, 9]) {
      const checkpoint = { dir: join(dir, String(cut)) };
      await ran({ ...common, epochs: cut, checkpoint });
      const resumed = await ran({ ...common, checkpoint, resume: "auto", allow: ["length"] });
      expect(resumed.result.resumed).toBe(cut * 10);
      expect(resumed.weights).toEqual(undisturbed.weights);
      expect(resumed.rates.slice(cut * 10)).toEqual(undisturbed.rates.slice(cut * 10));
    }
  });

  it.each([
    [{ monitor: "val.loss" }, 'there is no metric "val.loss" to monitor; it takes validate: { on: … }'],
    [{ monitor: "loss", factor: 1 }, "factor must be above 0 and below 1, got 1"],
    [{ monitor: "loss", patience: -1 }, "patience must be a whole number from 0 on, got -1"],
    [{ monitor: "loss", treshold: 0.1 }, 'did you mean "threshold"'],
    [{ monitor: "loss", thresholdMode: "rel" }, 'thresholdMode must be "relative" or "absolute", got "rel"'],
    [{ monitor: "loss", least: 2 }, "least must be a share from 0 to 1, got 2"],
  ])("%o is an error", async (reduceOnPlateau, message) => {
    await expect(ran({ reduceOnPlateau: reduceOnPlateau as never })).rejects.toThrow(message);
  });
});

describe("spans in epochs", () => {
  it("are counted in the steps of an epoch of the run", async () => {
    const lr = schedule.step({ initial: 0.4, every: "3 epochs", factor: 0.5 });
    const { rates } = await ran({ optimizer: optim.sgd({ lr: schedule.warmup(lr, "0.5 epochs") }) });
    const want = schedule.warmup(schedule.step({ initial: 0.4, every: 30, factor: 0.5 }), 5);
    expect(rates).toEqual(rates.map((_, step) => want(step, 120)));
  });

  it("say where no epoch is known", async () => {
    const optimizer = optim.sgd({ lr: schedule.cosine({ peak: 1, steps: "2 epochs" }) });
    const model = nn.linear(3, 1);
    const step = train.step(model, optimizer, ({ x, y }) => loss.mse()(model.forward(x), y));
    await expect(step.run({ x: set.x, y: set.y })).rejects.toThrow(
      'schedule.cosine: "2 epochs" needs the number of steps in an epoch, which is not known here; give the span in whole steps',
    );
  });
});
