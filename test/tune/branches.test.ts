// Turns of branches: a branch whose good region was found late gets trials before one that is better and at its end.
import { describe, expect, it } from "vitest";
import { branchTurn } from "../../lib/tune/samplers/branches.js";
import type { SampleRequest } from "../../lib/tune/samplers/sampler.js";
import { flatten } from "../../lib/tune/space/index.js";
import { tune } from "../../lib/tune/index.js";
import type { TrialRecord } from "../../lib/tune/study/record.js";

const inner = { x: tune.uniform(0, 1) };
const space = flatten({ kind: tune.choice(["a", "b"]), at: tune.when("kind", { a: inner, b: inner }) });

/** 40 trials of each branch by turns; `better` gives the value of the i-th of branch b, those of branch a end at 0.1. */
function request(better: (i: number) => number, over: Partial<SampleRequest> = {}): SampleRequest {
  const sign = over.directions?.[0] === "maximize" ? -1 : 1;
  const history = Array.from({ length: 80 }, (_, number): TrialRecord => {
    const kind = number % 2;
    const i = number >> 1;
    const params = { kind, [`at.${"ab"[kind]!}.x`]: i / 40 };
    const value = kind === 0 ? 0.1 + 1 / (1 + i ** 4) : better(i);
    return { number, state: "complete", params, values: [sign * value], intermediate: [] };
  });
  return { space, number: 82, seed: 1, directions: ["minimize"], history, pending: [], ...over };
}

describe("the turn of the branch that may come to most", () => {
  const late = (i: number): number => (i < 30 ? 0.5 : 0.3 - i / 1000);
  const early = (i: number): number => (i < 5 ? 0.5 : 0.26);

  for (const directions of [["minimize"], ["maximize"]] as const) {
    it(`${directions[0]}: a branch that became better of late, though not as good yet`, () => {
      expect(branchTurn(request(late, { directions })).fixed).toEqual({ kind: 1 });
    });
    it(`${directions[0]}: not one whose last step is long ago`, () => {
      expect(branchTurn(request(early, { directions })).fixed).toEqual({ kind: 0 });
    });
  }

  it("values that are not numbers, and trials that broke constraints, say nothing", () => {
    const broken = request(late);
    const history = broken.history.map((trial): TrialRecord => (trial.params.kind === 1 ? { ...trial, constraints: [1] } : trial)); // prettier-ignore
    expect(branchTurn({ ...broken, history }).fixed).toEqual({ kind: 0 });
    const failed = broken.history.map((trial): TrialRecord => (trial.params.kind === 1 ? { ...trial, state: "failed", values: [] } : trial)); // prettier-ignore
    expect(branchTurn({ ...broken, history: failed }).fixed).toEqual({ kind: 0 });
  });

  it("no such turn with several objectives, nor against what is fixed", () => {
    const two = request(late).history.map((trial) => ({ ...trial, values: [trial.values![0]!, 0] }));
    expect(branchTurn(request(late, { history: two, directions: ["minimize", "minimize"] })).fixed).toBeUndefined();
    expect(branchTurn(request(late, { fixed: { kind: 0 } })).fixed).toEqual({ kind: 0 });
  });
});
