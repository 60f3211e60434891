import { describe, expect, it } from "vitest";
import * as schedule from "../../lib/schedule/index.js";
import { readGolden, type ScheduleCase } from "./read.js";

// How each of PyTorch's schedulers is written here.
function ours({ name, kind, options }: ScheduleCase): schedule.Schedule {
  const option = (key: string) => {
    const value = options[key];
    if (value === undefined) throw new Error(`${name} has no option ${key}`);
    return value;
  };
  const initial = option("initial");
  switch (kind) {
    case "step":
      return schedule.step({ initial, every: option("every"), factor: option("factor") });
    case "exponential":
      return schedule.exponential({ initial, factor: option("factor") });
    case "polynomial":
      return schedule.polynomial({ initial, power: option("power"), steps: option("total") });
    case "linear":
      return schedule.linear({
        initial: initial * option("startFactor"),
        final: initial * option("endFactor"),
        steps: option("total"),
      });
    case "cosine":
      return schedule.cosine({ peak: initial, final: option("final"), steps: option("total") });
    case "warm-cosine":
      return schedule.cosine({
        peak: initial,
        final: option("final"),
        warmup: option("warmup"),
        steps: option("total"),
      });
    case "linear-warmup":
      return schedule.warmup(initial, option("warmup"));
    case "cosine-restarts":
      // Periods 10, 20, 40: PyTorch's T_mult = 2.
      return schedule.sequence([
        [schedule.cosine({ peak: initial }), 10],
        [schedule.cosine({ peak: initial }), 20],
        schedule.cosine({ peak: initial, steps: 40 }),
      ]);
    case "milestones":
      return schedule.piecewise([
        [0, initial],
        [5, initial * 0.1],
        [20, initial * 0.01],
        [21, initial * 0.001],
        [50, initial * 0.0001],
      ]);
    case "sequence":
      return schedule.sequence([
        [schedule.linear({ initial: initial * 0.1, final: initial }), 10],
        schedule.exponential({ initial, factor: 0.9 }),
      ]);
    default:
      throw new Error(`no schedule for ${name}`);
  }
}

describe("schedules follow torch.optim.lr_scheduler", () => {
  for (const golden of readGolden("schedules").record.cases) {
    it(golden.name, () => {
      const at = ours(golden);
      const total = golden.rates.length;
      golden.rates.forEach((rate, step) => {
        expect(Math.abs(at(step, total) - rate), `step ${step}`).toBeLessThanOrEqual(1e-12 * golden.options.initial!);
      });
    });
  }
});
