// What every sampler of the engine promises, whatever it computes.
import { describe, expect, test } from "vitest";
import { tune } from "../../lib/tune/index.js";
import { flatten, isComplete, type FlatSpace, type Params } from "../../lib/tune/space/index.js";
import { keyOf } from "../../lib/tune/samplers/distinct.js";
import type { Sampler } from "../../lib/tune/samplers/index.js";
import { record, requestOf, simulate } from "./simulate.js";

const samplers: Record<string, () => Sampler> = {
  sobol: tune.sobol,
  halton: tune.halton,
  tpe: tune.tpe,
  gp: tune.gp,
  cmaEs: tune.cmaEs,
  nsga2: tune.nsga2,
  auto: tune.auto,
};

const mixed = flatten({
  lr: tune.logUniform(1e-5, 1e-1),
  width: tune.int(8, 512, { log: true }),
  layers: tune.int(1, 4),
  dropout: tune.uniform(0, 0.5, { step: 0.1 }),
  one: tune.int(3, 3),
  optimizer: tune.choice(["sgd", "adam", "lion"]),
  settings: tune.when("optimizer", {
    sgd: { momentum: tune.uniform(0, 0.99), nesterov: tune.choice([true, false]) },
    adam: { beta1: tune.uniform(0.8, 0.99), warm: tune.int(0, 1) },
  }),
});

const finite = flatten({ a: tune.int(0, 4), b: tune.choice(["x", "y", "z"]), c: tune.uniform(0, 1, { step: 0.25 }) });

const value = (params: Params): number => Object.values(params).reduce((sum, x, i) => sum + (x - 0.3 * i) ** 2, 0);

describe.each(Object.entries(samplers))("%s", (_, make) => {
  test("answers are complete points of the space, whatever became of earlier trials", async () => {
    const records = await simulate(
      make(),
      mixed,
      (params, number) =>
        number % 7 === 3
          ? undefined
          : number % 11 === 5
            ? Infinity
            : { values: [value(params)], constraints: [number % 5 === 4 ? 1 : -1] },
      { trials: 40, lag: 3 },
    );
    for (const { params } of records) expect(isComplete(mixed, params), JSON.stringify(params)).toBe(true);
  });

  test("the same request gives the same answer, whatever the sampler was asked before", async () => {
    const warm = make();
    const records = await simulate(warm, mixed, value, { trials: 30, lag: 2 });
    for (const number of [0, 5, 12, 29]) {
      const request = requestOf(mixed, records.slice(0, number), { number });
      const fresh = await make().sample(request);
      expect(await warm.sample(request)).toEqual(fresh);
      const copied = { ...request, history: structuredClone(request.history) };
      expect(await warm.sample(copied)).toEqual(fresh);
    }
    // A trial with a lower number that ends late takes its place among those known before.
    const late = records.filter((_, i) => i !== 3).slice(0, 20);
    await warm.sample(requestOf(mixed, late, { number: 21 }));
    const whole = requestOf(mixed, records.slice(0, 21), { number: 21 });
    expect(await warm.sample(whole)).toEqual(await make().sample(whole));
  });

  test("another seed gives another study", async () => {
    const [one, two] = await Promise.all(
      [1, 2].map((seed) =>
        simulate(make(), mixed, value, { trials: 12, seed }).then((list) => list.map(({ params }) => params)),
      ),
    );
    one!.forEach((params, i) => i < 10 && expect(params).not.toEqual(two![i]));
  });

  test("no point of a finite space comes twice until all were tried, in parallel too", async () => {
    for (const lag of [0, 6]) {
      const records = await simulate(make(), finite, value, { trials: 80, lag });
      expect(new Set(records.slice(0, 75).map(({ params }) => keyOf(finite, params))).size).toBe(75);
      for (const { params } of records) expect(isComplete(finite, params)).toBe(true);
    }
  });

  test("fixed values are in the answer, exactly", async () => {
    const records = await simulate(make(), mixed, value, { trials: 20 });
    const fixed = { lr: 0.0123, optimizer: 0, "settings.sgd.momentum": 0.123456789 };
    for (const history of [[], records]) {
      const answer = await make().sample(requestOf(mixed, history, { fixed }));
      expect(answer).toMatchObject(fixed);
      expect(isComplete(mixed, answer!)).toBe(true);
    }
  });

  test("records of other spaces are ignored where they do not fit", async () => {
    const foreign = [
      record(0, { lr: 5, other: 3 }, { values: [1] }),
      record(1, {}, { values: [2] }),
      record(2, { optimizer: 17, layers: 2.5 }, { values: [3] }),
    ];
    const history = Array.from({ length: 15 }, (_, number) => ({ ...foreign[number % 3]!, number }));
    const answer = await make().sample(requestOf(mixed, history));
    expect(isComplete(mixed, answer!)).toBe(true);
  });

  test("maximizing the negative is minimizing", async () => {
    const up = await simulate(make(), mixed, (params) => -value(params), { trials: 25, directions: ["maximize"] });
    const down = await simulate(make(), mixed, value, { trials: 25 });
    expect(up.map(({ params }) => params)).toEqual(down.map(({ params }) => params));
  });

  test("several objectives", async () => {
    const records = await simulate(make(), mixed, (params) => ({ values: [value(params), -value(params)] }), {
      trials: 25,
      directions: ["minimize", "maximize"],
    });
    for (const { params } of records) expect(isComplete(mixed, params)).toBe(true);
  });
});

test("the first 2^m trials of sobol have one value in each of 2^m parts of every range", async () => {
  const space: FlatSpace = flatten({ a: tune.uniform(-1, 1), b: tune.logUniform(1, 256), c: tune.uniform(0, 10) });
  const records = await simulate(tune.sobol(), space, () => 0, { trials: 64 });
  const parts = (of: (params: Params) => number): number =>
    new Set(records.map(({ params }) => Math.floor(of(params) * 64))).size;
  expect(parts(({ a }) => (a! + 1) / 2)).toBe(64);
  expect(parts(({ b }) => Math.log2(b!) / 8)).toBe(64);
  expect(parts(({ c }) => c! / 10)).toBe(64);
});
