import { describe, expect, it } from "vitest";
import { grid, random, type Sampler } from "../../lib/tune/samplers/index.js";
import { keyOf } from "../../lib/tune/samplers/distinct.js";
import { choice, flatten, int, isComplete, logUniform, spaceSize, uniform, when, type FlatSpace, type Params } from "../../lib/tune/space/index.js"; // prettier-ignore
import type { TrialRecord } from "../../lib/tune/study/record.js";

const finite = flatten({
  a: choice(["x", "y", "z"]),
  b: when("a", { x: { c: int(1, 3) }, y: { d: choice([[1], [2, 3]]) } }),
  e: uniform(0, 1, { step: 0.25 }),
});

async function trials(sampler: Sampler, space: FlatSpace, count: number, from: readonly TrialRecord[] = []) {
  const history: TrialRecord[] = [...from];
  while (history.length < count) {
    const pending = history.slice(-3);
    const params = await sampler.sample({ space, number: history.length, seed: 5, directions: ["minimize"], history: history.slice(0, -3), pending }); // prettier-ignore
    if (params === undefined) break;
    history.push({ number: history.length, state: "complete", params, values: [1], intermediate: [] });
  }
  return history;
}
const keys = (list: readonly TrialRecord[], space = finite) => list.map(({ params }) => keyOf(space, params));

describe("finite spaces", () => {
  it.each([random(), grid(), grid({ shuffle: true })])(
    "$name tries every point once before any twice",
    async (sampler) => {
      const size = spaceSize(finite);
      expect(size).toBe(30);
      const list = await trials(sampler, finite, size);
      expect(list).toHaveLength(size);
      expect(new Set(keys(list)).size).toBe(size);
      for (const { params } of list) expect(isComplete(finite, params)).toBe(true);
    },
  );

  it("random goes on after the last point, grid has no more", async () => {
    expect(await trials(random(), finite, 33)).toHaveLength(33);
    expect(await trials(grid(), finite, 33)).toHaveLength(30);
  });

  it("a grid goes on where it was, in another process, with what was tried left out", async () => {
    const all = await trials(grid({ shuffle: true }), finite, 30);
    const resumed = await trials(grid({ shuffle: true }), finite, 30, all.slice(0, 11));
    expect(keys(resumed)).toEqual(keys(all));
  });

  it("a grid takes lists for ranges, points evenly on their scale, and fixed values", async () => {
    const space = flatten({ lr: logUniform(1e-4, 1e-2), wd: uniform(0, 1) });
    const list = await trials(grid({ values: { wd: [0, 0.5] }, points: 3 }), space, 99);
    expect(list.map(({ params }) => [Number(params.lr!.toPrecision(12)), params.wd])).toEqual([
      [1e-4, 0],
      [1e-4, 0.5],
      [1e-3, 0],
      [1e-3, 0.5],
      [1e-2, 0],
      [1e-2, 0.5], // prettier-ignore
    ]);
    const fixed = grid({ values: { wd: [0, 0.5] }, points: 3 }).sample({ space, number: 0, seed: 1, directions: ["minimize"], history: [], pending: [], fixed: { wd: 0.5 } }) as Params; // prettier-ignore
    expect(fixed.wd).toBe(0.5);
  });

  it.each([
    [{}, /"lr" is a range of real numbers.*points: 5/],
    [{ values: { lt: [1] } }, /unknown parameter "lt", did you mean "lr"/],
    [{ values: { lr: [1] } }, /"lr": expected a number from 0.0001 to 0.01, got 1/],
    [{ values: { lr: [] } }, /expected a list of values to try, got an empty array/],
  ])("a grid refuses with a sentence: %j", async (options, message) => {
    await expect(trials(grid(options), flatten({ lr: logUniform(1e-4, 1e-2) }), 1)).rejects.toThrow(message);
  });
});
