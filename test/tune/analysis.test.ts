// Importance of parameters and hypervolume, beside closed forms.
import { describe, expect, test } from "vitest";
import { tune } from "../../lib/tune/index.js";
import { flatten } from "../../lib/tune/space/index.js";
import { record, simulate } from "./simulate.js";

const space = flatten({
  a: tune.uniform(0, 2),
  b: tune.logUniform(1, Math.E),
  c: tune.choice(["x", "y"]),
  d: tune.int(1, 9),
});

describe("importance", () => {
  test("shares are those of a sum of independent parts with known variances", async () => {
    // a in [0, 2]: 4/12; ln b in [0, 1]: 1/12; c: 1/4 of 0.5²
    const records = await simulate(tune.sobol(), space, ({ a, b, c }) => a! + Math.log(b!) + 0.5 * c!, { trials: 512 });
    const total = 4 / 12 + 1 / 12 + 0.25 / 4;
    const study = { space, directions: ["minimize"] as const, records };
    const shares = await tune.importance(study);
    expect(shares.map(({ name }) => name)).toEqual(["a", "b", "c", "d"]);
    const share = (name: string): number => shares.find((entry) => entry.name === name)!.share;
    expect(share("a")).toBeCloseTo(4 / 12 / total, 1);
    expect(share("b")).toBeCloseTo(1 / 12 / total, 1);
    expect(share("c")).toBeCloseTo(0.25 / 4 / total, 1);
    expect(share("d")).toBeLessThan(0.02);
    const permuted = await tune.importance(study, { method: "permutation" });
    expect(permuted[0]!.name).toBe("a");
    expect(permuted.reduce((sum, entry) => sum + entry.share, 0)).toBeCloseTo(1, 9);
    expect(await tune.importance(study)).toEqual(shares);
  });

  test("what it cannot do is said", async () => {
    const study = { space, directions: ["minimize"] as const, records: [] };
    await expect(tune.importance(study)).rejects.toThrow("expected at least 4 complete trials, got 0");
    await expect(tune.importance(study, { objective: 1 })).rejects.toThrow(
      "objective: expected a whole number from 0 to 0",
    );
    await expect(tune.importance(study, { method: "shap" as never })).rejects.toThrow(
      'expected "fanova" or "permutation"',
    );
  });
});

describe("hypervolume", () => {
  test("is the area that feasible complete trials dominate, in every direction", async () => {
    const records = [
      record(0, {}, { values: [1, 3] }),
      record(1, {}, { values: [2, 1] }),
      record(2, {}, { values: [0, 0], constraints: [1] }),
      record(3, {}, undefined),
      record(4, {}, { values: [9, 9] }),
    ];
    const up = records.map((trial) =>
      trial.values ? { ...trial, values: [-trial.values[0]!, trial.values[1]!] } : trial,
    );
    expect(await tune.hypervolume({ directions: ["minimize", "minimize"], records }, [4, 4])).toBe(3 * 1 + 2 * 2);
    expect(await tune.hypervolume({ directions: ["maximize", "minimize"], records: up }, [-4, 4])).toBe(7);
    await expect(tune.hypervolume({ directions: ["minimize"], records }, [1, 2])).rejects.toThrow(
      "expected 1 finite numbers",
    );
  });
});
