// Schedules that go up and down: warm restarts, cyclic rates, one cycle. As torch.optim.lr_scheduler of PyTorch 2.13 has them.

import { requireAboveZero, requireFinite, requireOneOf } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { blend, decaySteps, describeAs, given, requireSpan, stepsIn, type DescribedSchedule } from "./schedule.js";
import type { CosineRestartsOptions, CyclicOptions, OneCycleMomentumOptions, OneCycleOptions } from "./spec.js";
import { got } from "../names/got.js";

/**
 * Half cosines from `peak` to `final`, one after another, each `growth` times as long as the one before (SGDR; Loshchilov and
 * Hutter, 2017; PyTorch's `CosineAnnealingWarmRestarts`).
 *
 * @throws ArgumentError for values that are not finite, a growth below 1, or a span that is neither a fraction nor whole steps.
 * @example
 * schedule.cosineRestarts({ peak: 0.1, first: 10, growth: 2 })(30, 70); // 0.1
 */
export function cosineRestarts(options: CosineRestartsOptions): DescribedSchedule {
  const where = "schedule.cosineRestarts";
  checkOptions(where, options, ["peak", "first", "growth", "final"]);
  const { peak, first, growth = 1, final = 0 } = options;
  requireFinite(where, "peak", peak);
  requireFinite(where, "final", final);
  requireSpan(where, "first", first, 1);
  requireFinite(where, "growth", growth);
  if (growth < 1) throw new ArgumentError(`${where}: growth must be 1 or more, got ${growth}`);
  return describeAs({ kind: "cosineRestarts", peak, first, growth, final }, (t, total, perEpoch) => {
    const { begin, length } = period(t, Math.max(1, stepsIn(where, first, total, perEpoch)), growth);
    return blend(final, peak, (1 + Math.cos((Math.PI * (t - begin)) / length)) / 2);
  });
}

// The period that step t lies in. The logarithm may land one period off at a boundary: the sums decide.
function period(t: number, first: number, growth: number): { begin: number; length: number } {
  if (growth === 1) return { begin: Math.floor(t / first) * first, length: first };
  const begins = (n: number) => (first * (growth ** n - 1)) / (growth - 1);
  let n = Math.max(0, Math.floor(Math.log1p((t / first) * (growth - 1)) / Math.log(growth)));
  while (n > 0 && begins(n) > t) n--;
  while (begins(n + 1) <= t) n++;
  return { begin: begins(n), length: first * growth ** n };
}

/**
 * Up and down between two values (Smith, 2017; PyTorch's `CyclicLR`). With `height` "constant" every cycle reaches `high`;
 * with "halve" each has half the height of the one before; with "decay" the height is multiplied by `factor` at every step.
 *
 * @throws ArgumentError for values that are not finite, an unknown height, or a span that is neither a fraction nor whole steps.
 * @example
 * schedule.cyclic({ low: 0, high: 1, rise: 10 })(25, 100); // 0.5
 */
export function cyclic(options: CyclicOptions): DescribedSchedule {
  const where = "schedule.cyclic";
  checkOptions(where, options, ["low", "high", "rise", "fall", "height", "factor"]);
  const { low, high, rise, fall = rise, height = "constant", factor = 1 } = options;
  requireFinite(where, "low", low);
  requireFinite(where, "high", high);
  requireSpan(where, "rise", rise, 1);
  requireSpan(where, "fall", fall, 1);
  requireOneOf(where, "height", height, ["constant", "halve", "decay"]);
  requireAboveZero(where, "factor", factor);
  return describeAs({ kind: "cyclic", low, high, rise, fall, height, factor }, (t, total, perEpoch) => {
    const up = Math.max(1, stepsIn(where, rise, total, perEpoch));
    const down = Math.max(1, stepsIn(where, fall, total, perEpoch));
    const cycle = Math.floor(t / (up + down));
    const into = t - cycle * (up + down);
    const share = into <= up ? into / up : 1 - (into - up) / down;
    const scale = height === "halve" ? 0.5 ** cycle : height === "decay" ? factor ** t : 1;
    return low + (high - low) * share * scale;
  });
}

type Leg = readonly [to: number, from: number, end: number];

const anneals = { cosine: (u: number) => (1 + Math.cos(Math.PI * u)) / 2, linear: (u: number) => 1 - u };

// Along legs that end at the given (fractional) steps; level after the last.
function along(legs: readonly Leg[], anneal: keyof typeof anneals, t: number): number {
  let begin = 0;
  for (const [to, start, end] of legs) {
    if (t <= end) return blend(to, start, anneals[anneal](end > begin ? (t - begin) / (end - begin) : 1));
    begin = end;
  }
  return legs[legs.length - 1]![0];
}

function requireCycle(where: string, options: OneCycleOptions | OneCycleMomentumOptions): void {
  const { rise = 0.3, anneal = "cosine", phases = 2, steps } = options;
  if (typeof rise !== "number" || !(rise > 0 && rise < 1)) {
    throw new ArgumentError(`${where}: rise must be a share of the cycle between 0 and 1, got ${got(rise)}`);
  }
  requireOneOf(where, "anneal", anneal, ["cosine", "linear"]);
  if (phases !== 2 && phases !== 3) throw new ArgumentError(`${where}: phases must be 2 or 3, got ${String(phases)}`);
  if (phases === 3 && rise > 0.5) {
    throw new ArgumentError(
      `${where}: with 3 phases rise and fall have the same length: rise is at most 0.5, got ${rise}`,
    );
  }
  if (steps !== undefined) requireSpan(where, "steps", steps, 1);
}

/**
 * One cycle (Smith and Topin, 2019; PyTorch's `OneCycleLR`): from `peak / divide` up to `peak`, then down to
 * `peak / divide / finalDivide` (with 3 phases by way of `peak / divide`). The last step of the run has the last value, so a run
 * needs at least 2 steps. For the momentum that goes down as the rate goes up: {@link oneCycleMomentum}.
 *
 * @throws ArgumentError for values that are not above 0, a rise that is not a share, an unknown anneal or number of phases.
 * @example
 * schedule.oneCycle({ peak: 0.1, rise: 0.3 })(0, 100); // 0.004
 */
export function oneCycle(options: OneCycleOptions): DescribedSchedule {
  const where = "schedule.oneCycle";
  checkOptions(where, options, ["peak", "rise", "divide", "finalDivide", "anneal", "phases", "steps"]);
  const { peak, rise = 0.3, divide = 25, finalDivide = 1e4, anneal = "cosine", phases = 2, steps } = options;
  requireAboveZero(where, "peak", peak);
  requireAboveZero(where, "divide", divide);
  requireAboveZero(where, "finalDivide", finalDivide);
  requireCycle(where, options);
  const initial = peak / divide;
  const final = initial / finalDivide;
  const spec = { kind: "oneCycle", peak, rise, divide, finalDivide, anneal, phases, ...given({ steps }) } as const;
  return describeAs(spec, (t, total, perEpoch) => {
    const length = decaySteps(where, steps, total, perEpoch);
    const top = rise * length - 1;
    const legs: readonly Leg[] =
      phases === 3
        ? [[peak, initial, top], [initial, peak, 2 * rise * length - 2], [final, initial, length - 1]] // prettier-ignore
        : [[peak, initial, top], [final, peak, length - 1]]; // prettier-ignore
    return along(legs, anneal, t);
  });
}

/**
 * The momentum that goes with {@link oneCycle}: from `high` down to `low` while the rate rises, and back.
 *
 * @throws ArgumentError for values that are not finite, a rise that is not a share, an unknown anneal or number of phases.
 * @example
 * schedule.oneCycleMomentum({ rise: 0.3 })(29, 100); // 0.85
 */
export function oneCycleMomentum(options: OneCycleMomentumOptions = {}): DescribedSchedule {
  const where = "schedule.oneCycleMomentum";
  checkOptions(where, options, ["low", "high", "rise", "anneal", "phases", "steps"]);
  const { low = 0.85, high = 0.95, rise = 0.3, anneal = "cosine", phases = 2, steps } = options;
  requireFinite(where, "low", low);
  requireFinite(where, "high", high);
  requireCycle(where, options);
  const spec = { kind: "oneCycleMomentum", low, high, rise, anneal, phases, ...given({ steps }) } as const;
  return describeAs(spec, (t, total, perEpoch) => {
    const length = decaySteps(where, steps, total, perEpoch);
    const top = rise * length - 1;
    const end = length - 1;
    const back = phases === 3 ? 2 * rise * length - 2 : end;
    return along([[low, high, top], [high, low, back], [high, high, end]], anneal, t); // prettier-ignore
  });
}
