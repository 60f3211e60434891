// Spikes of the loss and numbers that are not finite: what each policy does, counts and logs; and early stopping by divergence.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { array, data, loss, nn, NonFiniteError, optim, schedule, seed, train, type FitOptions } from "../../../lib/index.js"; // prettier-ignore

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "guard-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const [rows, width] = [400, 3];
const batchSize = 4;
const noise = (i: number) => Math.sin(i * 12.9898) * 0.5;

/** Samples of a line, some of which are far from it or too large for squares in f32. */
function line(bad: Readonly<Record<number, number>> = {}): data.Dataset {
  const x = Float32Array.from({ length: rows * width }, (_, i) => noise(i));
  const y = Float32Array.from(
    { length: rows },
    (_, row) => x[row * width]! - 2 * x[row * width + 1]! + 0.1 * noise(row + 7),
  );
  for (const [row, value] of Object.entries(bad)) y[Number(row)] = value;
  return data.fromArrays({ x: array(x, [rows, width]), y: array(y, [rows, 1]) });
}
const fit = (set: data.Dataset, options: Partial<FitOptions>) => {
  seed(3);
  const model = nn.linear(width, 1);
  const run = train.fit(model, set, { loss: loss.mse(), optimizer: optim.sgd({ lr: 0.05 }), batchSize, shuffle: false, epochs: 2, seed: 1, ...options }); // prettier-ignore
  return { model, run };
};
const weights = (model: nn.Module) => model.parameters().map((parameter) => [...parameter.readSync().data]);

/** The rule in f64: steps of an epoch of losses that are spikes. */
function spikesOf(
  losses: readonly number[],
  { deviations, warmup, decay }: Record<"deviations" | "warmup" | "decay", number>,
): number[] {
  let [mean, deviation, count] = [0, 0, 0];
  return losses.flatMap((value, step) => {
    const distance = value - mean;
    if (count >= warmup && distance > deviations * deviation) return [step];
    const share = Math.max(1 / (count + 1), 1 - decay);
    mean += distance * share;
    deviation += ((count === 0 ? 0 : Math.abs(distance)) - deviation) * share;
    count += 1;
    return [];
  });
}

describe("onSpike", () => {
  const bad = { 242: 300, 243: 250, 301: 40 }; // steps 60 and 75 of an epoch of 100

  it("leaves out the steps that the rule names, and no others", async () => {
    const measure = { deviations: 10, warmup: 40, decay: 0.95 };
    const losses: number[] = [];
    const { run } = fit(line(bad), { onSpike: { ...measure, policy: "skip" }, callbacks: { onStep: ({ loss: value, index }) => void (losses[index] = value) } }); // prettier-ignore
    const { spikes, skipped, steps, stopped, rewound } = await run;
    expect([spikes, skipped, steps, stopped, rewound]).toEqual([4, 4, 200, "done", 0]);
    const left = Array.from({ length: 200 }, (_, i) => i).filter((i) => losses[i] === undefined);
    expect(left).toEqual([60, 75, 160, 175]);
    // What was taken: the rule over those losses, with the spikes where they were, names the same steps.
    expect(
      spikesOf(
        losses.map((value) => value ?? 1e4),
        measure,
      ),
    ).toEqual([]);
    expect(
      spikesOf(
        Array.from({ length: 200 }, (_, i) => losses[i] ?? 400),
        measure,
      ),
    ).toEqual(left);
  });

  it("moves no weight in a step that it leaves out", async () => {
    const calm = fit(line(), { onSpike: { policy: "skip" }, steps: 60, epochs: undefined });
    await calm.run;
    const shaken = fit(line(bad), { onSpike: { policy: "skip", warmup: 40 }, steps: 61, epochs: undefined });
    await shaken.run;
    expect(weights(shaken.model)).toEqual(weights(calm.model));
  });

  it("is the same however many steps go into one call", async () => {
    const one = fit(line(bad), { onSpike: {} });
    await one.run;
    const several = fit(line(bad), { onSpike: {}, validate: { on: line(), every: 7 } });
    await several.run;
    expect(weights(several.model)).toEqual(weights(one.model));
  });

  it("ends the run by stop", async () => {
    const { run } = fit(line(bad), { onSpike: { policy: "stop", warmup: 40 } });
    expect(await run).toMatchObject({ stopped: "diverged", steps: 60, spikes: 1, skipped: 0 });
  });

  it.each([
    [{ policy: "ignore" }, /policy must be "stop", "skip" or "rewind", got "ignore"/],
    [{ deviations: 0 }, /deviations must be a number above 0/],
    [{ warmup: -1 }, /warmup must be a whole number from 1 on/],
    [{ decay: 2 }, /decay/],
    [{ facter: 3 }, /facter/],
    [{ policy: "rewind" }, /the run keeps none; give checkpoint/],
  ])("refuses %j", (given, message) => {
    expect(() => fit(line(), { onSpike: given as train.SpikeOptions })).toThrow(message);
  });

  it("refuses to watch what accumulates", () => {
    expect(() => fit(line(), { onSpike: {}, accumulate: 2 })).toThrow(/onSpike does not go with accumulate/);
  });
});

describe("rewind", () => {
  // A rate that is too large at first: the loss grows until it is not finite; at a quarter of it the run comes to its end.
  const wild = (): Partial<FitOptions> => ({
    optimizer: optim.sgd({ lr: 9 }),
    onNonFinite: "rewind",
    checkpoint: { dir: join(dir, "checkpoints"), every: 25, keep: 100 },
  });

  it("goes back to the last checkpoint with a smaller rate, as often as it takes", async () => {
    const rates = new Map<number, number>();
    const { run, model } = fit(line(), { ...wild(), rewind: { rate: 0.25 }, callbacks: { onStep: ({ index, lr }) => void rates.set(index, lr) } }); // prettier-ignore
    const { rewound, steps, stopped, history } = await run;
    expect([steps, stopped]).toEqual([200, "done"]);
    expect(rewound).toBeGreaterThanOrEqual(1);
    expect(rates.get(199)).toBeCloseTo(9 * 0.25 ** rewound, 12);
    expect(history.map((record) => record.steps)).toEqual([100, 200]);
    expect(weights(model).flat().every(Number.isFinite)).toBe(true);
  });

  it("is what a run from that checkpoint with that rate would have been", async () => {
    // Steps 0 to 49 are calm; sample 201 is met in step 50 with everything at its largest.
    const set = line({ 242: 300 });
    const guarded = fit(set, { onSpike: { policy: "rewind", warmup: 40 }, rewind: { rate: 0.5, most: 1 }, checkpoint: { dir, every: 50 } }); // prettier-ignore
    const result = await guarded.run;
    expect(result).toMatchObject({ rewound: 1, stopped: "diverged", spikes: 2, steps: 60 });
    const whole = fit(set, { optimizer: optim.sgd({ lr: schedule.from((step) => (step < 50 ? 0.05 : 0.025)) }), steps: 60, epochs: undefined }); // prettier-ignore
    await whole.run;
    expect(weights(guarded.model)).toEqual(weights(whole.model));
  });

  it("ends after as many as are allowed", async () => {
    const { run } = fit(line(), { ...wild(), rewind: { rate: 0.99, most: 2 } });
    await expect(run).rejects.toBeInstanceOf(NonFiniteError);
  });

  it("is gone on from with the smaller rate, to the same bits", async () => {
    const options = () => ({ ...wild(), rewind: { rate: 0.25 } });
    const whole = fit(line(), options());
    const { rewound } = await whole.run;
    const again = fit(line(), { ...options(), checkpoint: { dir: join(dir, "again") }, resume: join(dir, "checkpoints", "step-000000150") }); // prettier-ignore
    const result = await again.run;
    expect([result.resumed, result.rewound]).toEqual([150, rewound]);
    expect(weights(again.model)).toEqual(weights(whole.model));
  });

  it("keeps every step of the log once, and counts", async () => {
    const { run } = fit(line(), { ...wild(), rewind: { rate: 0.25 }, log: { dir, every: 1 } });
    const { rewound } = await run;
    const lines = readFileSync(join(dir, "metrics.jsonl"), "utf8").trim().split("\n").map((text) => JSON.parse(text) as Record<string, unknown>); // prettier-ignore
    const steps = lines.filter(({ kind }) => kind === "step").map(({ step }) => step);
    expect(steps).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    expect(
      lines.some((record) => record["guard.rewound"] === rewound && record["guard.rate"] === 0.25 ** rewound),
    ).toBe(true);
  });
});

describe("earlyStopping.divergence", () => {
  it("ends a run whose figure is worse, at once", async () => {
    const { run } = fit(line(), { optimizer: optim.sgd({ lr: 9 }), onNonFinite: "skip", steps: 40, epochs: undefined, validate: { on: line(), every: 2 }, earlyStopping: { monitor: "val.loss", patience: 30, divergence: 1e6 } }); // prettier-ignore
    const { stopped, validations } = await run;
    expect(stopped).toBe("diverged");
    const values = validations.map(({ metrics }) => metrics["val.loss"]!);
    expect(values.at(-1)).toBeGreaterThan(1e6);
    expect(values.slice(0, -1).every((value) => value <= 1e6)).toBe(true);
  });
});
