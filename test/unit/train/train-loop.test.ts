// What people expect of a training loop: accumulated gradients are the step of the whole batch, averages are those of the weights in
// float64, steps with numbers that are not finite can be left out, time ends a run; and all of it goes on from a checkpoint.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  array,
  data,
  loss,
  metrics,
  nn,
  NonFiniteError,
  optim,
  schedule,
  train,
  type FitOptions,
} from "../../../lib/index.js";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "loop-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const rows = 512;
const samples = (ignored = false) =>
  data.fromArrays({
    x: array(
      Float32Array.from({ length: rows * 10 }, (_, i) => Math.sin(i * 1.7) + Math.cos(i * 0.31)),
      [rows, 10],
    ),
    y: array(Int32Array.from({ length: rows }, (_, i) => (ignored && i % 5 === 2 ? -1 : (i * 7) % 4))),
  });
const start = nn.sequential(nn.linear(10, 32), nn.tanh(), nn.linear(32, 4));
const weights = (model: nn.Module) => model.parameters().flatMap((parameter) => [...parameter.readSync().data]);
const distance = (a: readonly number[], b: readonly number[]) => {
  const norm = (values: readonly number[]) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(a.map((value, i) => value - b[i]!)) / norm(b);
};

describe("accumulate", () => {
  const losses = { "a mean": loss.crossEntropy(), "a mean over labels that count": loss.crossEntropy({ ignoreIndex: -1 }), "a sum": loss.crossEntropy({ reduction: "sum" }) }; // prettier-ignore
  it.each(Object.entries(losses))("of 4 × 32 is the batch of 128, within 1e-6 over 50 steps (%s)", async (name, each) => {
    const set = samples(name.includes("count"));
    const how = { loss: each, optimizer: optim.sgd({ lr: name === "a sum" ? 1e-3 : 0.05, clipNorm: 2 }), steps: 50, seed: 4 }; // prettier-ignore
    const [one, four] = [start.clone(), start.clone()];
    const whole = await train.fit(one, set, { ...how, batchSize: 128 });
    const parts = await train.fit(four, set, { ...how, batchSize: 32, accumulate: 4 });
    expect(parts.steps).toBe(50);
    expect(distance(weights(four), weights(one))).toBeLessThan(1e-6);
    const metrics = (history: typeof whole.history) => history.map((record) => record.metrics.loss);
    expect(distance(metrics(parts.history), metrics(whole.history))).toBeLessThan(1e-6);
  }); // prettier-ignore

  it.each([
    [100, 16, 3],
    [100, 7, 5],
    [33, 16, 2],
    [5, 8, 4],
  ])("of %d samples by %d × %d counts uneven batches by their rows", async (count, batchSize, accumulate) => {
    const set = samples().take(count);
    const how = { loss: loss.crossEntropy(), optimizer: optim.momentum({ lr: 0.05 }), epochs: 6, seed: 4 };
    const [one, parts] = [start.clone(), start.clone()];
    const events: number[] = [];
    const whole = await train.fit(one, set, { ...how, batchSize: Math.min(count, batchSize * accumulate) });
    const result = await train.fit(parts, set, { ...how, batchSize, accumulate, callbacks: { onStep: (event) => events.push(event.index) } }); // prettier-ignore
    expect(result.steps).toBe(whole.steps);
    expect(events).toEqual(Array.from({ length: whole.steps }, (_, i) => i));
    expect(distance(weights(parts), weights(one))).toBeLessThan(1e-6);
  });

  it("goes on from any checkpoint to the same bits, with dropout, on a source", async () => {
    const first = nn.sequential(nn.linear(10, 32), nn.relu(), nn.dropout(0.3), nn.linear(32, 4));
    const model = () => first.clone();
    const how = { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 1e-3 }), batchSize: 16, accumulate: 3, steps: 30, seed: 4 }; // prettier-ignore
    const source = () => data.stream(samples().take(200)).shuffle(50);
    const whole = model();
    await train.fit(whole, source(), { ...how, checkpoint: { dir, every: 7, keep: 100 } });
    for (const step of [7, 14, 21, 28]) {
      const again = model();
      await train.fit(again, source(), { ...how, resume: join(dir, `step-${String(step).padStart(9, "0")}`) });
      expect(weights(again)).toEqual(weights(whole));
    }
  });
});

const plain = (steps: number) => ({
  loss: loss.crossEntropy(),
  optimizer: optim.sgd({ lr: schedule.cosine({ peak: 0.2 }) }),
  batchSize: 32,
  steps,
  seed: 1,
});
// The weights after every step, as a validation meets them.
async function everyStep(options: Partial<FitOptions>, steps: number) {
  const model = start.clone();
  const seen = [weights(model)];
  const result = await train.fit(model, samples(), {
    ...plain(steps),
    ...(options as object),
    validate: { on: samples().take(8), every: 1 },
    callbacks: { onValidate: () => seen.push(weights(model)) },
  });
  return { seen, end: weights(model), result };
}

describe("average", () => {
  const steps = 12;
  const folded = (keep: (step: number) => number, seen: readonly number[][]) => {
    let average = seen[0]!;
    return seen.map((now, step) => {
      const stays = step === 0 ? 0 : keep(step);
      return (average = average.map((value, i) => stays * value + (1 - stays) * now[i]!));
    });
  };

  it.each([
    ["by train.ema", train.ema({ decay: 0.8, warmup: false }), () => 0.8],
    ["by train.ema with a warmup", train.ema({ decay: 0.9 }), (step: number) => Math.min(0.9, (1 + step) / (10 + step))],
  ] as const)("%s is the moving average in float64, at every validation and at the end", async (_, average, keep) => {
    const { seen } = await everyStep({}, steps);
    const { seen: averages, end } = await everyStep({ average }, steps);
    folded(keep, seen).forEach((reference, step) => expect(distance(averages[step]!, reference)).toBeLessThan(1e-6));
    expect(end).toEqual(averages.at(-1));
  }); // prettier-ignore

  it("by train.swa is the mean of the weights that it takes, and the weights themselves before", async () => {
    const { seen } = await everyStep({}, steps);
    const { seen: averages } = await everyStep({ average: train.swa({ start: 3, every: 2 }) }, steps);
    for (let step = 0; step <= steps; step++) {
      const taken = [3, 5, 7, 9, 11].filter((each) => each <= step).map((each) => seen[each]!);
      const reference = taken.length === 0 ? seen[step]! : taken[0]!.map((_, i) => taken.reduce((sum, each) => sum + each[i]! / taken.length, 0)); // prettier-ignore
      expect(distance(averages[step]!, reference)).toBeLessThan(1e-6);
    }
  });

  it("leaves training as it was: the losses of the steps are the same", async () => {
    const losses = async (options: Partial<FitOptions>) => {
      const told: number[] = [];
      await train.fit(start.clone(), samples(), { ...plain(20), ...options, callbacks: { onStep: (step) => told.push(step.loss) } }); // prettier-ignore
      return told;
    };
    expect(await losses({ average: train.ema(), validate: { on: samples(), every: 3 } })).toEqual(await losses({}));
  });

  it("is what early stopping keeps, and goes on from a checkpoint", async () => {
    const model = () => nn.sequential(nn.linear(10, 16), nn.batchNorm(16), nn.relu(), nn.linear(16, 4));
    const first = model();
    const options = (): FitOptions => ({
      ...plain(40),
      average: train.ema({ decay: 0.9 }),
      validate: { on: samples().take(64), every: 4, metrics: { accuracy: metrics.accuracy() } },
      earlyStopping: { monitor: "val.loss", patience: 100 },
    });
    const whole = first.clone();
    const { best } = await train.fit(whole, samples(), { ...options(), checkpoint: { dir, every: 9, keep: 100 } });
    const { loss: value } = await train.evaluate(whole, samples().take(64), { loss: loss.crossEntropy() });
    expect(value).toBeCloseTo((best!.metrics as Record<string, number>)["val.loss"]!, 6);
    for (const step of [9, 18, 27, 36]) {
      const again = first.clone();
      const result = await train.fit(again, samples(), { ...options(), resume: join(dir, `step-${String(step).padStart(9, "0")}`) }); // prettier-ignore
      expect(result.best).toEqual(best);
      expect(weights(again)).toEqual(weights(whole));
    }
  });
});

describe("onNonFinite", () => {
  // A label that makes one sample's loss infinite: 3.4e38² leaves f32.
  const bad = (at: readonly number[]) =>
    data.fromArrays({
      x: array(Float32Array.from({ length: 64 * 10 }, (_, i) => Math.sin(i)), [64, 10]),
      y: array(Float32Array.from({ length: 64 }, (_, i) => (at.includes(i) ? 3e38 : 1)), [64, 1]),
    }); // prettier-ignore
  const how = { loss: loss.mse(), optimizer: optim.sgd({ lr: 0.01 }), batchSize: 4, shuffle: false };
  const line = nn.linear(10, 1);

  it("ends the run, or leaves the step out and counts it: as if its samples were not there", async () => {
    await expect(train.fit(line.clone(), bad([9]), { ...how, epochs: 1 })).rejects.toThrow(NonFiniteError);
    const [model, other] = [line.clone(), line.clone()];
    const { skipped, steps } = await train.fit(model, bad([9, 33]), { ...how, epochs: 1, onNonFinite: "skip" });
    expect([skipped, steps]).toEqual([2, 16]);
    const kept = Array.from({ length: 64 }, (_, i) => i).filter((i) => ![2, 8].includes(i >> 2));
    await train.fit(other, bad([]).select(kept), { ...how, epochs: 1 });
    expect(weights(model)).toEqual(weights(other));
  });

  it("ends a run that does not get better", async () => {
    const all = Array.from({ length: 64 }, (_, i) => i);
    const run = train.fit(line.clone(), bad(all), { ...how, epochs: 10, onNonFinite: "skip" });
    await expect(run).rejects.toThrow(/at step 50/);
  });
});

describe("maxTime", () => {
  it("ends a run, which goes on where it was with more time", async () => {
    const how = { ...plain(1_000_000), checkpoint: { dir, every: "1 h" as const } };
    const first = await train.fit(start.clone(), samples(), { ...how, maxTime: "0.3 s" });
    expect(first.stopped).toBe("time");
    expect(first.seconds).toBeLessThan(5);
    const again = await train.fit(start.clone(), samples(), { ...how, resume: "auto", maxTime: "0.6 s" });
    expect(again.resumed).toBe(first.steps);
    expect(again.steps).toBeGreaterThan(first.steps);
  });
});

describe("options of the loop", () => {
  it.each([
    [{ accumulate: 0 }, /accumulate must be a whole number from 1 on/],
    [{ average: train.ema }, /average must be train\.ema\(\).*call it/],
    [{ onNonFinite: "ignore" }, /onNonFinite must be "stop", "skip" or "rewind"/],
    [{ maxTime: "soon" }, /maxTime must be a time such as/],
    [{ dropLast: true, accumulate: 100 }, /batchSize 32 · accumulate 100 is more than the 512 samples/],
  ])("%j is refused", (options, says) => {
    expect(() => train.fit(start.clone(), samples(), { ...plain(3), ...(options as object) })).toThrow(says);
  });

  it("refuse decays and starts that cannot be", () => {
    expect(() => train.ema({ decay: 2 })).toThrow(/decay/);
    expect(() => train.swa({ start: 0 })).toThrow(/start must be a whole number from 1 on/);
  });
});
