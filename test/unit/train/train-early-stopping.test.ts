// When a run stops by itself: which checks count, and what is refused.
import { describe, expect, it } from "vitest";
import { EarlyStopping, type EarlyStoppingOptions } from "../../../lib/train/run/early-stopping.js";

const monitors = new Map([
  ["loss", "lower"],
  ["val.loss", "lower"],
  ["val.accuracy", "higher"],
] as const);

/** At which check (from 0) a series of values stops; -1 for never. */
function stopsAt(values: readonly number[], options: Partial<EarlyStoppingOptions>): number {
  const stopping = new EarlyStopping("test", { monitor: "val.loss", ...options }, monitors);
  return values.findIndex((value) => stopping.observe(value).stop);
}

describe("early stopping", () => {
  it.each<[string, readonly number[], Partial<EarlyStoppingOptions>, number]>([
    ["waits as long as patience says", [3, 2, 2, 2, 2], { patience: 3 }, 4],
    ["begins to wait anew at an improvement", [3, 4, 2, 4, 4, 1], { patience: 2 }, 4],
    ["does not count less than minDelta", [3, 2.95, 2.9, 2.8], { patience: 2, minDelta: 0.5 }, 2],
    ["follows the metric's own direction", [0.5, 0.6, 0.7, 0.6, 0.5], { monitor: "val.accuracy", patience: 2 }, 4],
    ["or the one it is told", [0.5, 0.4, 0.3, 0.4, 0.5], { monitor: "val.accuracy", mode: "min", patience: 2 }, 4],
    ["rests after an improvement", [3, 4, 4, 4, 4], { patience: 2, cooldown: 2 }, 4],
    ["does not count the first checks", [1, 2, 2, 2, 2, 2], { patience: 2, startFrom: 3 }, 5],
    ["takes none of them for the best", [0.1, 0.2, 5, 4, 3, 2, 1], { patience: 2, startFrom: 2 }, -1],
    ["never stops at a check that improves", [5, 4, 3], { patience: 3, baseline: 2 }, -1],
    ["stops below the baseline once nothing improves", [5, 4, 4], { patience: 3, baseline: 2 }, 2],
    [
      "asks for more than minDelta over the baseline",
      [5, 1.8, 1.8, 1.8],
      { patience: 3, baseline: 2, minDelta: 0.5 },
      2,
    ],
    ["takes no equal value for an improvement", [3, 3, 3], { patience: 2 }, 2],
    ["takes no infinity for an improvement on nothing", [Infinity, Infinity, Infinity], { patience: 2 }, 1],
    ["never stops at the first check", [NaN, 1], { patience: 1 }, -1],
    ["does not let NaN rest", [3, NaN, NaN, 2], { patience: 1, cooldown: 2 }, -1],
    ["goes on once the baseline is beaten", [5, 1, 1, 1], { patience: 3, baseline: 2 }, -1],
    ["never takes NaN for an improvement", [NaN, NaN, NaN], { patience: 2 }, 1],
    ["recovers from a first NaN", [NaN, 3, 2, 1], { patience: 2 }, -1],
  ])("%s", (_, values, options, expected) => {
    expect(stopsAt(values, options)).toBe(expected);
  });

  it.each<[object, string]>([
    [{ monitor: "val.acuracy" }, 'there is no metric "val.acuracy" to monitor, did you mean "val.accuracy"?'],
    [{ monitor: "loss", patiense: 3 }, 'unknown option "patiense", did you mean "patience"?'],
    [{ monitor: "loss", patience: 0 }, "patience must be a whole number from 1 on, got 0"],
    [{ monitor: "loss", minDelta: -1 }, "minDelta must not be below 0, got -1"],
    [{ monitor: "loss", restoreBest: "no" }, 'restoreBest must be true or false, got "no"'],
    [{ monitor: "loss", minDelta: NaN }, "minDelta must be a finite number, got NaN"],
    [{ monitor: "loss", mode: "maximum" }, 'mode must be "min" or "max", got "maximum"'],
  ])("refuses %j", (options, message) => {
    expect(() => new EarlyStopping("test", options as EarlyStoppingOptions, monitors)).toThrow(message);
  });

  it("says what a figure of a validation needs", () => {
    const known = new Map([["loss", "lower"]] as const);
    expect(() => new EarlyStopping("test", { monitor: "val.loss" }, known)).toThrow(/it takes validate: \{ on: … \}/);
  });
});
