import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { AbortedError, NonFiniteError } from "../../lib/errors.js";
import { tune } from "../../lib/tune/index.js";
import type { Sampler, SampleRequest } from "../../lib/tune/samplers/index.js";
import { drawParams } from "../../lib/tune/samplers/random.js";
import { dominates, frontOf } from "../../lib/tune/study/finished.js";
import { pause, tableOf } from "./table.js";

const space = { x: tune.uniform(-1, 1), n: tune.int(1, 4) };
const bowl = (_: unknown, { params }: { params: { x: number; n: number } }) => params.x ** 2 + params.n;

// What a sampler does with what it sees shows in the parameters: any other history gives other trials.
function nosy(seen?: SampleRequest[]): Sampler {
  return {
    name: "nosy",
    sample(request) {
      seen?.push({ ...request, history: [...request.history] }); // the list goes on growing
      const { space, seed, number, history, pending } = request;
      const text = JSON.stringify([history.map(({ number, values, state, intermediate }) => [number, values, state, intermediate]), pending.map(({ number, params }) => [number, params])]); // prettier-ignore
      let hash = seed;
      for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
      return drawParams(space, hash, number);
    },
  };
}

describe("tune", () => {
  it("gives exactly the budget, numbered without gaps, and the best of them", async () => {
    const study = await tune(space, bowl, { trials: 30, concurrency: 4 });
    expect(study.trials.map(({ number }) => number)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(study.stopped).toBe("done");
    const best = Math.min(...study.trials.map(({ value }) => value!));
    expect(study.best?.value).toBe(best);
    expectTypeOf(study.best!.params).toEqualTypeOf<{ x: number; n: number }>();
  });

  it("is an async iterable of the trials that end; leaving it ends the search", async () => {
    const run = tune(space, bowl, { trials: 1000 });
    const numbers: number[] = [];
    for await (const trial of run) if (numbers.push(trial.number) === 5) break;
    const study = await run;
    expect(study.stopped).toBe("break");
    expect(study.trials.length).toBeLessThan(10);
    expect(numbers).toEqual([0, 1, 2, 3, 4]);
  });

  it("sees in trial k the results up to k − lag and no others, and the parameters of all below k", async () => {
    const seen: SampleRequest[] = [];
    const lag = 5;
    await tune(space, bowl, { trials: 40, concurrency: 3, lag, sampler: nosy(seen) });
    for (const { number, history, pending } of seen) {
      const end = Math.max(0, number - lag + 1);
      expect(history.map((trial) => trial.number)).toEqual(Array.from({ length: end }, (_, i) => i));
      expect(pending.map((trial) => trial.number)).toEqual(Array.from({ length: number - end }, (_, i) => end + i));
      for (const trial of pending) expect(trial.values).toBeUndefined();
      for (const trial of history) expect(trial.values).toHaveLength(1);
    }
  });

  it("★ deterministic: the same table for 1, 2 and 8 at a time, under random delays, failures and pruning", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.nat(1000), async (lag, seed) => {
        const tables = [];
        for (const concurrency of [1, 2, 8]) {
          const pruner = { name: "picky", prune: ({ history, reports }: { history: readonly unknown[]; reports: readonly { value: number }[] }) => reports.at(-1)!.value * 997 % 1 < 0.02 * (history.length % 7) }; // prettier-ignore
          const study = await tune(
            space,
            async (trial, { params }) => {
              for (let step = 0; step < 3; step++) {
                trial.report(step, params.x + step);
                if (Math.random() < 0.3) await pause(Math.random() * 3);
                if (trial.shouldPrune()) trial.prune();
              }
              if (params.n === 3 && trial.attempt < 1) throw new Error("three");
              if (params.x > 0.9) return NaN;
              return params.x > 0.8 ? Infinity : params.x;
            },
            { trials: 24, seed, lag, concurrency, sampler: nosy(), pruner, failure: { retry: params(seed) } },
          );
          tables.push(tableOf(study));
        }
        expect(tables[1]).toEqual(tables[0]);
        expect(tables[2]).toEqual(tables[0]);
      }),
      { numRuns: 12 },
    );
    function params(seed: number): number {
      return seed % 2;
    }
  });

  it("free: every trial sees all results there are", async () => {
    const seen: SampleRequest[] = [];
    await tune(space, bowl, { trials: 20, mode: "free", sampler: nosy(seen) });
    for (const { number, history } of seen) expect(history).toHaveLength(number);
  });

  it("keeps NaN and Infinity apart from numbers, whatever the failure policy", async () => {
    const values = [1, NaN, Infinity, -Infinity, 0.5];
    const study = await tune({ i: tune.int(0, 9) }, (trial) => {
      if (trial.number === 5) throw new NonFiniteError("loss is NaN");
      return values[trial.number]!;
    }, { trials: 6 }); // prettier-ignore
    expect(study.trials.map(({ state }) => state)).toEqual([
      "complete",
      "failed",
      "infinite",
      "infinite",
      "complete",
      "failed",
    ]);
    expect(study.best?.value).toBe(0.5);
    expect(study.trials[1]?.error?.message).toMatch(/NaN/);
    expect(study.trials[5]?.error).toEqual({ name: "NonFiniteError", message: "loss is NaN" });
  });

  it.each([
    ["continue" as const, 6, [0, 0, 0, 0, 0, 0]],
    [{ retry: 2 }, 6, [0, 2, 0, 2, 0, 2]],
  ])("failure %j: goes on", async (failure, count, attempts) => {
    const calls: number[] = [];
    const study = await tune(space, (trial) => {
      calls.push(trial.number);
      if (trial.number % 2 === 1) throw new TypeError("odd");
      return 0;
    }, { trials: count, failure }); // prettier-ignore
    expect(study.trials.map(({ state }) => state)).toEqual([
      "complete",
      "failed",
      "complete",
      "failed",
      "complete",
      "failed",
    ]);
    expect(study.trials.map(({ attempt }) => attempt)).toEqual(attempts);
    expect(study.trials[1]?.error).toEqual({ name: "TypeError", message: "odd" });
    expect(calls).toHaveLength(attempts.reduce((sum, attempt) => sum + attempt + 1, 0));
  });

  it("failure stop: rejects with what was thrown, the trial is recorded as failed, others are given back", async () => {
    const storage = new tune.MemoryStorage();
    const thrown = new TypeError("no");
    const run = tune(space, async (trial) => {
      if (trial.number === 2) throw thrown;
      if (trial.number > 2) await new Promise((_, reject) => trial.signal.addEventListener("abort", () => reject(new Error("stopped")))); // prettier-ignore
      return 0;
    }, { trials: 9, concurrency: 4, storage }); // prettier-ignore
    await expect(run).rejects.toBe(thrown);
    const states = (await tune.load(storage)).trials.map(({ state }) => state);
    expect(states.slice(0, 3)).toEqual(["complete", "complete", "failed"]);
    expect(states.slice(3).every((state) => state === "waiting")).toBe(true);
  });

  it("a signal gives running trials back; the same call goes on to the same table", async () => {
    const storage = new tune.MemoryStorage();
    const options = { trials: 12, concurrency: 3, storage, sampler: nosy() };
    const control = new AbortController();
    let calls = 0;
    const slow = async (trial: { signal: AbortSignal }, { params }: { params: { x: number } }) => {
      if (++calls === 6) control.abort(new Error("enough"));
      await pause(1);
      trial.signal.throwIfAborted();
      return params.x;
    };
    const failed = await tune(space, slow, { ...options, signal: control.signal }).then(() => undefined, (error: unknown) => error); // prettier-ignore
    expect(failed).toBeInstanceOf(AbortedError);
    expect((failed as AbortedError).cause).toMatchObject({ message: "enough" });
    const study = await tune(space, slow, options);
    const whole = await tune(space, slow, { ...options, storage: new tune.MemoryStorage() });
    expect(tableOf(study)).toEqual(tableOf(whole));
  });

  it("a search that an aborted signal begins with does nothing", async () => {
    let calls = 0;
    const run = tune(space, () => ++calls, { trials: 3, signal: AbortSignal.abort() });
    await expect(run).rejects.toBeInstanceOf(AbortedError);
    expect(calls).toBe(0);
  });

  it("timeout: no more trials begin, those that run end", async () => {
    const study = await tune(space, async () => (await pause(20), 1), { timeout: 0.1, concurrency: 2 });
    expect(study.stopped).toBe("timeout");
    expect(study.trials.length).toBeGreaterThan(0);
    expect(study.trials.every(({ state }) => state === "complete")).toBe(true);
  });

  it("several directions: the front is what no trial dominates, by brute force", async () => {
    const study = await tune({ a: tune.uniform(0, 1), b: tune.uniform(0, 1) }, (_, { params: { a, b } }) => [a, Math.round((b - a) * 8)], { trials: 60, direction: ["minimize", "maximize"] }); // prettier-ignore
    const brute = study.trials.filter(
      (trial) => !study.trials.some((other) => dominates(other.values, trial.values, study.directions)),
    );
    expect(study.front).toEqual(brute);
    expect(frontOf([], ["minimize", "maximize"])).toEqual([]);
  });

  it("constraints: the best trial holds them", async () => {
    const study = await tune({ x: tune.uniform(-1, 1) }, (trial, { params: { x } }) => {
      trial.constrain(0.25 - x);
      return x ** 2;
    }, { trials: 40, constraints: 1 }); // prettier-ignore
    expect(study.best?.params.x).toBeGreaterThanOrEqual(0.25);
    expect(study.feasible.every(({ params }) => params.x >= 0.25)).toBe(true);
  });

  it("attributes, reports out of order and the last report of a step", async () => {
    const study = await tune(space, (trial) => {
      for (const [step, value] of [[2, 5], [0, 7], [2, 6], [1, NaN]] as const) trial.report(step, value); // prettier-ignore
      trial.setAttribute("note", { of: trial.number });
      return 1;
    }, { trials: 2, attributes: { who: "me" } }); // prettier-ignore
    expect(study.trials[1]?.intermediate).toEqual([{ step: 0, value: 7 }, { step: 1, value: NaN }, { step: 2, value: 6 }]); // prettier-ignore
    expect(study.trials[1]?.attributes).toEqual({ note: { of: 1 } });
    expect(study.attributes).toEqual({ who: "me" });
  });

  it("enqueued trials come first, in order, with what they leave out chosen", async () => {
    const study = await tune(space, bowl, { trials: 5, enqueue: [{ x: 0.5 }, { x: -0.5, n: 2 }] });
    expect(study.trials[0]?.params.x).toBe(0.5);
    expect(study.trials[1]?.params).toEqual({ x: -0.5, n: 2 });
    await study.enqueue({ n: 4, x: 0 });
    const more = await study.resume(bowl, { trials: 7 });
    expect(more.trials[5]?.params).toEqual({ x: 0, n: 4 });
    expect(more.trials).toHaveLength(7);
  });

  it("warm start: trials of another study come first in the history, numbered below 0", async () => {
    const first = await tune(space, bowl, { trials: 6 });
    const seen: SampleRequest[] = [];
    await tune({ x: tune.uniform(-0.5, 1), n: tune.int(1, 4) }, bowl, {
      trials: 2,
      warmStart: first,
      sampler: nosy(seen),
    });
    const inside = first.trials.filter(({ params }) => params.x >= -0.5);
    expect(seen[0]?.history.map(({ values }) => values)).toEqual(inside.map(({ values }) => values));
    expect(seen[0]?.history[0]?.number).toBe(-inside.length);
    await expect(async () => tune({ y: tune.uniform(0, 1) }, () => 0, { warmStart: first })).rejects.toThrow(/none of the 6 trials/); // prettier-ignore
  });

  it("suggest: parameters of define-by-run, the same table for any number at a time", async () => {
    const objective = async (trial: import("../../lib/tune/study/trial.js").Trial) => {
      const layers = trial.suggest("layers", tune.int(1, 3));
      let sum = 0;
      for (let i = 0; i < layers; i++) sum += trial.suggest(`units${i}`, tune.int(1, 8)) * (i + 1);
      const act = trial.suggest("act", tune.choice(["relu", "gelu"]));
      expectTypeOf(act).toEqualTypeOf<"relu" | "gelu">();
      expect(trial.suggest("layers", tune.int(1, 3))).toBe(layers);
      if (trial.number % 3 === 0) await pause(2);
      return sum + (act === "relu" ? 0 : 1);
    };
    const tables = [];
    for (const concurrency of [1, 8]) {
      const study = await tune({}, objective, {
        trials: 20,
        concurrency,
        sampler: nosy(),
        enqueue: [{ layers: 3, act: "gelu" }],
      });
      expect(study.trials[0]?.params).toMatchObject({ layers: 3, act: "gelu" });
      tables.push(tableOf(study));
    }
    expect(tables[1]).toEqual(tables[0]);
  });

  it("a grid ends the study with its last point", async () => {
    const study = await tune({ a: tune.choice(["x", "y"]), n: tune.int(1, 3) }, () => 0, {
      sampler: tune.grid(),
      concurrency: 3,
    });
    expect(study.stopped).toBe("exhausted");
    expect(study.trials).toHaveLength(6);
  });

  it.each([tune.random(), tune.tpe({ startup: 3 }), tune.gp({ startup: 3 }), tune.cmaEs(), tune.nsga2(), tune.auto()])(
    "asks every sampler for what an objective without a space asks for: $name",
    async (sampler) => {
      const study = await tune({}, (trial) => trial.suggest("x", tune.uniform(-1, 1)) ** 2 + trial.suggest("n", tune.int(1, 3)), { trials: 14, sampler, lag: 1 }); // prettier-ignore
      expect(study.trials.map(({ state }) => state)).toEqual(Array.from({ length: 14 }, () => "complete"));
    },
  );
});
