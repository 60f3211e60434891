// Schedules from schedules: warmup, sequence, scale, chain, clamp, repeat. Time inside a part is its own: it starts at 0 and `total` is
// the part's length, so that warmup(cosine({ peak }), w) equals cosine({ peak, warmup: w }).

import { requireFinite } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import {
  describe,
  describeAs,
  from,
  nameOf,
  requireSpan,
  stepsIn,
  type DescribedSchedule,
  type ScheduleLike,
} from "./schedule.js";
import type { ClampOptions, Span, WarmupOptions } from "./spec.js";

/**
 * A linear rise over `span` to the first value of `schedule`, which then runs over what is left of the run.
 *
 * With w steps of warmup, step t < w has `from + (1 − from) · (t + 1) / (w + 1)` of that value: step 0 already learns and
 * step w is the first at full height.
 *
 * @throws ArgumentError for a span that is neither a fraction nor whole steps.
 * @example
 * schedule.warmup(0.1, 4)(1, 100); // 0.04
 */
export function warmup(schedule: ScheduleLike, span: Span, options: WarmupOptions = {}): DescribedSchedule {
  const where = "schedule.warmup";
  checkOptions(where, options, ["from"]);
  const { from: start = 0 } = options;
  const inner = from(schedule, where);
  requireSpan(where, "span", span, 0);
  requireFinite(where, "from", start);
  const spec = { kind: "warmup", schedule: describe(inner), span, from: start } as const;
  return describeAs(spec, (t, total, perEpoch) => {
    const w = stepsIn(where, span, total, perEpoch);
    const left = Math.max(0, total - w);
    if (t >= w) return inner(t - w, left, perEpoch);
    return inner(0, left, perEpoch) * (start + ((1 - start) * (t + 1)) / (w + 1));
  });
}

/** Parts of a {@link sequence}: `[schedule, span]` pairs, then the schedule that has the rest of the run. */
export type SequenceParts = readonly [...(readonly [ScheduleLike, Span])[], ScheduleLike];

/**
 * One schedule after another, each with its own clock (PyTorch's `SequentialLR`).
 *
 * @throws ArgumentError if a part but the last has no span.
 * @example
 * schedule.sequence([[schedule.linear({ initial: 0, final: 1 }), 0.1], [1, 0.6], schedule.cosine({ peak: 1 })]);
 */
export function sequence(parts: SequenceParts): DescribedSchedule {
  const where = "schedule.sequence";
  if (!Array.isArray(parts) || parts.length === 0) {
    throw new ArgumentError(`${where}: expected [[schedule, span], …, schedule], got ${nameOf(parts)}`);
  }
  const timed = parts.slice(0, -1).map((part: unknown, i) => {
    if (!Array.isArray(part) || part.length !== 2) {
      throw new ArgumentError(
        `${where}: part ${i} must be a [schedule, span] pair, got ${nameOf(part)}; only the last has the rest of the run`,
      );
    }
    const [schedule, span] = part as [ScheduleLike, Span];
    requireSpan(where, `the span of part ${i}`, span, 0);
    return [from(schedule, where), span] as const;
  });
  const last = from(parts[parts.length - 1] as ScheduleLike, where);
  const spec = {
    kind: "sequence",
    parts: timed.map(([s, span]) => [describe(s), span] as const),
    last: describe(last),
  } as const;
  return describeAs(spec, (t, total, perEpoch) => {
    let start = 0;
    for (const [schedule, span] of timed) {
      const length = stepsIn(where, span, total, perEpoch);
      if (t < start + length) return schedule(t - start, length, perEpoch);
      start += length;
    }
    return last(t - start, Math.max(0, total - start), perEpoch);
  });
}

/**
 * The product of a schedule and a number or another schedule, both on the same clock.
 *
 * @example
 * schedule.scale(schedule.cosine({ peak: 1e-3 }), 0.1)(0, 100); // 1e-4
 */
export function scale(schedule: ScheduleLike, by: ScheduleLike): DescribedSchedule {
  const [inner, factor] = [from(schedule, "schedule.scale"), from(by, "schedule.scale")];
  const spec = { kind: "scale", schedule: describe(inner), by: describe(factor) } as const;
  return describeAs(spec, (t, total, perEpoch) => inner(t, total, perEpoch) * factor(t, total, perEpoch));
}

/**
 * The product of any number of schedules, all on the same clock (PyTorch's `ChainedScheduler` of factors).
 *
 * @throws ArgumentError unless at least one schedule is given.
 * @example
 * schedule.chain([schedule.warmup(1, 4), schedule.step({ initial: 0.1, every: 10, factor: 0.5 })])(10, 100); // 0.05
 */
export function chain(parts: readonly ScheduleLike[]): DescribedSchedule {
  const where = "schedule.chain";
  const listed: unknown = parts; // Array.isArray would turn a readonly array into any[]
  if (!Array.isArray(listed) || listed.length === 0) {
    throw new ArgumentError(`${where}: expected an array of at least one schedule, got ${nameOf(parts)}`);
  }
  const factors = parts.map((part) => from(part, where));
  const spec = { kind: "chain", parts: factors.map((factor) => describe(factor)) } as const;
  return describeAs(spec, (t, total, perEpoch) =>
    factors.reduce((product, factor) => product * factor(t, total, perEpoch), 1),
  );
}

/**
 * The schedule held between bounds.
 *
 * @throws ArgumentError unless `min` or `max` is given, finite, and `min` is not above `max`.
 * @example
 * schedule.clamp(schedule.exponential({ initial: 1, factor: 0.5 }), { min: 0.1 })(10, 100); // 0.1
 */
export function clamp(schedule: ScheduleLike, options: ClampOptions): DescribedSchedule {
  const where = "schedule.clamp";
  checkOptions(where, options, ["min", "max"]);
  const { min, max } = options;
  const inner = from(schedule, where);
  if (min !== undefined) requireFinite(where, "min", min);
  if (max !== undefined) requireFinite(where, "max", max);
  if ((min ?? max) === undefined) throw new ArgumentError(`${where}: expected min, max or both, got neither`);
  const [low, high] = [min ?? -Infinity, max ?? Infinity];
  if (low > high) throw new ArgumentError(`${where}: min must not be above max, got ${low} and ${high}`);
  const bounds = { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
  const spec = { kind: "clamp", schedule: describe(inner), ...bounds } as const;
  return describeAs(spec, (t, total, perEpoch) => Math.min(high, Math.max(low, inner(t, total, perEpoch))));
}

/**
 * The schedule from its start again in every `every`: warm restarts (SGDR; Loshchilov and Hutter, 2017) with a cosine.
 *
 * @throws ArgumentError for a span that is neither a fraction nor whole steps.
 * @example
 * schedule.repeat(schedule.cosine({ peak: 1e-3 }), 0.25)(25, 100); // 1e-3
 */
export function repeat(schedule: ScheduleLike, every: Span): DescribedSchedule {
  const where = "schedule.repeat";
  const inner = from(schedule, where);
  requireSpan(where, "every", every, 1);
  return describeAs({ kind: "repeat", schedule: describe(inner), every }, (t, total, perEpoch) => {
    const period = Math.max(1, stepsIn(where, every, total, perEpoch));
    return inner(t % period, period, perEpoch);
  });
}
