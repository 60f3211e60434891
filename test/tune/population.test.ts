// Trials that go on from another's checkpoint: to the bits of a run that was never cut, without a change to the other; population-based
// training, the same for any number of workers.
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as data from "../../lib/data/index.js";
import * as loss from "../../lib/loss/index.js";
import * as nn from "../../lib/nn/index.js";
import * as optim from "../../lib/optim/index.js";
import { array, seed } from "../../lib/tensor/index.js";
import * as train from "../../lib/train/index.js";
import { tune } from "../../lib/tune/index.js";
import { flatten } from "../../lib/tune/space/index.js";
import type { TrialRecord } from "../../lib/tune/study/record.js";
import type { Trial } from "../../lib/tune/study/trial.js";
import { requestOf } from "./simulate.js";
import { pause, tableOf } from "./table.js";

const n = 64;
const x = array(Float32Array.from({ length: n * 4 }, (_, i) => Math.sin(i * 1.7)), [n, 4]); // prettier-ignore
const y = array(Float32Array.from({ length: n }, (_, i) => Math.cos(i * 0.3)), [n, 1]); // prettier-ignore
const set = data.fromArrays({ x, y });
const space = { lr: tune.logUniform(1e-4, 1e-1) };
const folder = (): string => mkdtempSync(join(tmpdir(), "athanor-forks-"));

/** Trains `epochs` epochs a generation; gives the weights by trial. */
async function fit(
  trial: Partial<Trial> & { readonly number: number },
  lr: number,
  epochs: number,
): Promise<{ value: number; weights: string }> {
  seed(5);
  const model = nn.sequential(nn.linear(4, 8), nn.tanh(), nn.dropout(0.1), nn.linear(8, 1));
  const { history } = await train.fit(model, set, {
    loss: loss.mse(), optimizer: optim.adam({ lr }), batchSize: 16, epochs, validate: { on: set }, ...(trial.report ? { trial: trial as Trial } : {}),
  }); // prettier-ignore
  const weights = Object.values(model.stateDict()).map(({ data: values }) => Buffer.from((values as Float32Array).slice().buffer).toString("hex")); // prettier-ignore
  return { value: history.at(-1)!.metrics["val.loss"]!, weights: weights.join() };
}

function hashOf(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return Object.fromEntries(files.map(({ name, parentPath }) => [join(parentPath, name), createHash("sha256").update(readFileSync(join(parentPath, name))).digest("hex")])); // prettier-ignore
}

describe("study.fork", () => {
  it("★ goes on from the other's checkpoint to the bits of one run, shares its files and changes none of them", async () => {
    const checkpoints = folder();
    const storage = new tune.MemoryStorage();
    const ends: Record<number, string> = {};
    let links: number[] = [];
    const objective = async (
      trial: Trial,
      { params }: { readonly params: { readonly lr: number } },
    ): Promise<number> => {
      if (trial.parent !== undefined) links = Object.keys(hashOf(trial.folder!)).map((path) => statSync(path).nlink);
      const { value, weights } = await fit(trial, params.lr, 3 * (trial.generation + 1));
      ends[trial.number] = weights;
      return value;
    };
    const study = await tune(space, objective, { trials: 3, storage, checkpoints, sampler: tune.random() });
    const origin = join(checkpoints, "study", "trial-00001");
    const before = hashOf(origin);
    await study.fork(1);
    await study.fork(1, { lr: 0.05 });
    const more = await study.resume(objective, { trials: 5, checkpoints, sampler: tune.random() });
    const [same, other] = more.trials.slice(3);
    expect([same!.parent, same!.params.lr, same!.intermediate.length]).toEqual([1, study.trials[1]!.params.lr, 6]);
    expect([other!.parent, other!.params.lr, other!.intermediate.length]).toEqual([1, 0.05, 6]);
    const whole = await fit({ number: -1 }, study.trials[1]!.params.lr, 6);
    expect([ends[3], same!.value]).toEqual([whole.weights, whole.value]);
    expect(other!.value).not.toBe(whole.value);
    expect(other!.intermediate.slice(0, 3)).toEqual(study.trials[1]!.intermediate);
    expect(hashOf(origin)).toEqual(before);
    expect(links.length).toBeGreaterThan(0);
    expect(Math.min(...links)).toBeGreaterThanOrEqual(2); // the other's file, not a copy of it
    await expect(study.fork(9)).rejects.toThrow("study.fork: expected the number of a trial, 0 to 2, got 9");
  });
});

describe("tune.populationBased", () => {
  const flat = flatten({ lr: tune.logUniform(1e-4, 1e-1), n: tune.int(1, 9), kind: tune.choice(["a", "b"]) });
  const record = (number: number, value: number, params = { lr: 0.01, n: 5, kind: 0 }): TrialRecord => ({ number, state: Number.isFinite(value) ? "complete" : "failed", params, intermediate: [], ...(Number.isFinite(value) ? { values: [value] } : {}) }); // prettier-ignore
  const sampler = tune.populationBased({ population: 4, quantile: 0.25, factor: 2, resample: 0 });

  it("members go on with their parameters; the worst and the failed from the best, with parameters near its own", async () => {
    // Values of members 0 to 3: 3 is the worst, 1 the best.
    const history = [record(0, 2), record(1, 1, { lr: 0.02, n: 8, kind: 1 }), record(2, NaN), record(3, 5)];
    const at = async (number: number, direction: "minimize" | "maximize" = "minimize") => {
      const request = requestOf(flat, history, { number, directions: [direction] });
      return { parent: sampler.parentOf!(request), params: await sampler.sample(request) };
    };
    expect(await at(4)).toEqual({ parent: 0, params: { lr: 0.01, n: 5, kind: 0 } });
    expect(await at(5)).toEqual({ parent: 1, params: { lr: 0.02, n: 8, kind: 1 } });
    const replaced = await at(6);
    expect(replaced.parent).toBe(1);
    expect([0.01, 0.04].some((lr) => Math.abs(replaced.params!.lr! - lr) < 1e-9)).toBe(true);
    expect([4, 9]).toContain(replaced.params!.n);
    expect(replaced.params!.kind).toBe(1);
    expect((await at(7)).parent).toBe(7 - 4); // the failed one is the worst of four: one is replaced, and it
    expect((await at(7, "maximize")).parent).toBe(3);
    expect(sampler.parentOf!(requestOf(flat, history.slice(0, 3), { number: 3 }))).toBeUndefined();
  });

  it("says what is wrong", () => {
    const request = requestOf(flat, [record(0, 1)], { number: 4, pending: [{ ...record(0, NaN), state: "running" }] });
    expect(() => sampler.sample(request)).toThrow("trial 4 goes on from trial 0, which has not ended; give lag: 4");
    expect(() => sampler.sample({ ...request, directions: ["minimize", "minimize"] })).toThrow(
      "expected one objective",
    );
    expect(() => tune.populationBased({ quantile: 0.7 })).toThrow(/quantile: expected a number from 0 to 0.5, got 0.7/);
  });

  it("★ the same trials for 1 and 4 at a time, and for a search that was broken off", { timeout: 60_000 }, async () => {
    const run = async (concurrency: number, stopAt?: number) => {
      const [checkpoints, storage, control] = [folder(), new tune.MemoryStorage(), new AbortController()];
      const go = (signal?: AbortSignal) =>
        tune(space, async (trial, { params }) => {
          await pause(Math.random() * 20);
          if (trial.number === stopAt) control.abort();
          return (await fit(trial, params.lr, 2 * (trial.generation + 1))).value;
        }, { trials: 16, lag: 4, concurrency, storage, checkpoints, sampler: tune.populationBased({ population: 4 }), signal }); // prettier-ignore
      if (stopAt !== undefined) await expect(go(control.signal)).rejects.toThrow("aborted");
      return go();
    };
    const alone = await run(1);
    expect(tableOf(await run(4))).toEqual(tableOf(alone));
    expect(tableOf(await run(3, 9))).toEqual(tableOf(alone));
    expect(alone.trials.slice(0, 4).map(({ parent }) => parent)).toEqual([undefined, undefined, undefined, undefined]);
    const parents = alone.trials.slice(4).map(({ parent, number }) => number - parent!);
    expect(parents.every((back) => back > 0)).toBe(true);
    expect(parents.some((back) => back % 4 !== 0)).toBe(true); // somebody was replaced
    // Every trial of a member has trained two epochs more than the one it goes on from.
    for (const { intermediate, number } of alone.trials) expect(intermediate.length % 2, String(number)).toBe(0);
    const best = (from: number): number => Math.min(...alone.trials.slice(from, from + 4).map(({ value }) => value!));
    expect(best(12)).toBeLessThan(best(0));
  });
});
