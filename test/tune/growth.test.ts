// What is kept from one question to the next says the same as what is read anew, whatever way the history goes.
import { describe, expect, it } from "vitest";
import { tune } from "../../lib/tune/index.js";
import { trialsByBranch } from "../../lib/tune/samplers/branches.js";
import { KeyCounts, keyOf } from "../../lib/tune/samplers/distinct.js";
import { Foresight } from "../../lib/tune/study/foresee.js";
import type { SampleRequest } from "../../lib/tune/samplers/sampler.js";
import { flatten } from "../../lib/tune/space/index.js";
import type { StoredTrial } from "../../lib/tune/storage/storage.js";
import type { TrialRecord } from "../../lib/tune/study/record.js";

const space = flatten({ k: tune.choice(["a", "b", "c"]), at: tune.when("k", { a: { n: tune.int(0, 3) }, b: { n: tune.int(0, 2) } }) }); // prettier-ignore
const trials: TrialRecord[] = Array.from({ length: 60 }, (_, number) => {
  const k = (number * 7) % 3;
  const own: Record<string, number>[] = [{ "at.a.n": number % 4 }, { "at.b.n": number % 3 }, {}];
  return { number, state: "complete", params: { k, ...own[k] }, values: [number], intermediate: [] };
});
// Longer, shorter, with trials that come in between, another study's, and none.
const histories: readonly (readonly TrialRecord[])[] = [
  trials.slice(0, 5),
  trials.slice(0, 20),
  trials.filter(({ number }) => number !== 30 && number < 40),
  trials.slice(0, 40),
  trials.slice(0, 12),
  trials.slice(0, 60).map((trial) => ({ ...trial })),
  [],
  trials,
];

describe("what follows a history", () => {
  it("counts of keys and of branches", () => {
    const keys = new KeyCounts(space);
    for (const history of histories) {
      keys.update(history);
      const pending = trials.slice(history.length, history.length + 4);
      const fresh = new Set([...history, ...pending].map(({ params }) => keyOf(space, params)));
      const taken = keys.with(pending);
      expect(taken.size).toBe(fresh.size);
      for (const { params } of trials) expect(taken.has(keyOf(space, params))).toBe(fresh.has(keyOf(space, params)));
      const counts = [0, 1, 2].map((k) => [...history, ...pending].filter(({ params }) => params.k === k).length);
      expect(trialsByBranch(space, history, pending)).toEqual(counts);
    }
  });

  it("samplers of finite spaces give what a new one gives", () => {
    for (const make of [() => tune.random(), () => tune.grid(), () => tune.grid({ shuffle: true })]) {
      const old = make();
      for (const history of histories) {
        const request: SampleRequest = { space, number: history.length, seed: 3, directions: ["minimize"], history, pending: trials.slice(2, 4) }; // prettier-ignore
        expect(old.sample(request)).toEqual(make().sample(request));
      }
    }
  });

  it("what an objective will ask for", async () => {
    const [x, y] = [tune.uniform(0, 1), tune.uniform(0, 2)];
    const asked: StoredTrial[] = Array.from({ length: 30 }, (_, number) => ({
      number, state: "complete", values: [number], intermediate: [], attempt: 0, losses: 0, fence: 1, attributes: {}, revision: number,
      params: number % 3 === 0 ? { x: 0.5 } : { x: 0.25, y: 1 },
      suggested: number % 3 === 0 ? { x } : { x, y: number > 20 ? x : y },
    })); // prettier-ignore
    const old = new Foresight(tune.random());
    for (const history of [asked.slice(0, 4), asked.slice(0, 25), asked, asked.slice(0, 9), [], asked]) {
      const request: SampleRequest = { space: { parameters: [] }, number: history.length, seed: 3, directions: ["minimize"], history, pending: [] }; // prettier-ignore
      const fresh = await new Foresight(tune.random()).foresee(request);
      expect([...(await old.foresee(request))]).toEqual([...fresh]);
      expect([...fresh.keys()]).toEqual(history.length === 0 ? [] : ["x", "y"]);
    }
  });
});
