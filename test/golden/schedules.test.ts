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
      return schedule.cosineRestarts({
        peak: initial,
        final: option("final"),
        first: option("period"),
        growth: option("factor"),
      });
    case "milestones":
      return schedule.multiStep({ initial, milestones: [5, 20, 21, 50] });
    case "cyclic-triangular":
    case "cyclic-triangular2":
    case "cyclic-exp_range":
      return schedule.cyclic({
        low: initial,
        high: option("high"),
        rise: option("rise"),
        fall: option("fall"),
        height: ({ triangular: "constant", triangular2: "halve", exp_range: "decay" } as const)[
          kind.slice("cyclic-".length) as "triangular"
        ],
        factor: option("factor"),
      });
    case "one-cycle-cos":
    case "one-cycle-linear":
      return schedule.oneCycle({
        peak: initial,
        divide: option("divide"),
        finalDivide: option("finalDivide"),
        ...course(kind, options),
      });
    case "one-cycle-momentum-cos":
    case "one-cycle-momentum-linear":
      return schedule.oneCycleMomentum({ low: 0.8, high: 0.95, ...course(kind, options) });
    case "sequence":
      return schedule.sequence([
        [schedule.linear({ initial: initial * 0.1, final: initial }), 10],
        schedule.exponential({ initial, factor: 0.9 }),
      ]);
    default:
      throw new Error(`no schedule for ${name}`);
  }
}

function course(kind: string, options: ScheduleCase["options"]) {
  const anneal = kind.endsWith("linear") ? ("linear" as const) : ("cosine" as const);
  return { anneal, rise: options.rise!, phases: options.phases as 2 | 3, steps: options.total! };
}

describe("schedules follow torch.optim.lr_scheduler", () => {
  for (const golden of readGolden("schedules").record.cases) {
    it(golden.name, () => {
      const at = ours(golden);
      const { every = 1, drift = 0, rates } = golden;
      const total = rates.length * every;
      rates.forEach((rate, i) => {
        const step = i * every;
        const limit = drift + 1e-12 * golden.options.initial!;
        expect(Math.abs(at(step, total) - rate), `step ${step}`).toBeLessThanOrEqual(limit);
      });
    });
  }
});
