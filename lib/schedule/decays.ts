// Decays beside the elementary ones of shapes.ts: by milestones, by the root of time, in a last stretch, and by two curves.
// u is the share of the decay that is over, from 0 to 1.

import { requireAboveZero, requireFinite, requireOneOf } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { warmup as withWarmup } from "./compose.js";
import {
  blend,
  decaySteps,
  describeAs,
  given,
  nameOf,
  progress,
  requireEnds,
  requireSpan,
  stepsIn,
  type DescribedSchedule,
} from "./schedule.js";
import type {
  InverseSqrtOptions,
  LinearOptions,
  MultiStepOptions,
  TanhOptions,
  WarmupStableDecayOptions,
} from "./spec.js";

/**
 * Stairs at given places: `initial · factor^(milestones passed)` (PyTorch's `MultiStepLR`). A milestone named twice counts twice.
 *
 * @throws ArgumentError for milestones that are not spans, or a factor that is not above 0.
 * @example
 * schedule.multiStep({ initial: 0.1, milestones: [0.5, 0.75] })(60, 100); // 0.01
 */
export function multiStep(options: MultiStepOptions): DescribedSchedule {
  const where = "schedule.multiStep";
  checkOptions(where, options, ["initial", "milestones", "factor"]);
  const { initial, factor = 0.1 } = options;
  const listed: unknown = options.milestones; // Array.isArray would turn a readonly array into any[]
  if (!Array.isArray(listed)) {
    throw new ArgumentError(`${where}: milestones must be an array of spans, got ${nameOf(listed)}`);
  }
  const milestones = [...options.milestones];
  requireFinite(where, "initial", initial);
  requireAboveZero(where, "factor", factor);
  milestones.forEach((milestone, i) => requireSpan(where, `milestone ${i}`, milestone, 0));
  return describeAs({ kind: "multiStep", initial, milestones, factor }, (t, total, perEpoch) => {
    const passed = milestones.filter((milestone) => stepsIn(where, milestone, total, perEpoch) <= t).length;
    return initial * factor ** passed;
  });
}

/**
 * Decay by the root of time, without an end: `peak · √(timescale / (timescale + t))` with t counted from the end of the
 * warmup (Vaswani et al., 2017; `get_inverse_sqrt_schedule` of Hugging Face).
 *
 * @throws ArgumentError for a timescale that is not above 0, or a warmup that is neither a fraction nor whole steps.
 * @example
 * schedule.inverseSqrt({ peak: 1e-3, warmup: 100 })(400, Infinity); // 5e-4
 */
export function inverseSqrt(options: InverseSqrtOptions): DescribedSchedule {
  const where = "schedule.inverseSqrt";
  checkOptions(where, options, ["peak", "warmup", "timescale"]);
  const { peak, warmup = 0, timescale } = options;
  requireFinite(where, "peak", peak);
  requireSpan(where, "warmup", warmup, 0);
  if (timescale !== undefined) requireAboveZero(where, "timescale", timescale);
  const spec = { kind: "inverseSqrt", peak, warmup, ...(timescale === undefined ? {} : { timescale }) } as const;
  return describeAs(spec, (t, total, perEpoch) => {
    const w = stepsIn(where, warmup, total, perEpoch);
    const scale = timescale ?? (w > 0 ? w : 10_000);
    return withWarmup((s) => peak * Math.sqrt(scale / (scale + s)), w)(t, total, perEpoch);
  });
}

const lastStretch = {
  linear: (u: number) => 1 - u,
  cosine: (u: number) => (1 + Math.cos(Math.PI * u)) / 2,
  sqrt: (u: number) => 1 - Math.sqrt(u),
};

/**
 * Warmup, a long level stretch, and a decay at the end (Hu et al., 2024; the decay 1 − √u of Hägele et al., 2024): a run can
 * be prolonged before its decay has begun.
 *
 * @throws ArgumentError for values that are not finite, an unknown shape, or warmup and decay longer than the run.
 * @example
 * schedule.warmupStableDecay({ peak: 1e-3, warmup: 0.1, decay: 0.2 })(90, 100); // 5e-4
 */
export function warmupStableDecay(options: WarmupStableDecayOptions): DescribedSchedule {
  const where = "schedule.warmupStableDecay";
  checkOptions(where, options, ["peak", "warmup", "decay", "shape", "final", "steps"]);
  const { peak, warmup = 0, decay = 0.1, shape = "linear", final = 0, steps } = options;
  requireEnds(where, peak, final, steps);
  requireSpan(where, "warmup", warmup, 0);
  requireSpan(where, "decay", decay, 0);
  requireOneOf(where, "shape", shape, ["linear", "cosine", "sqrt"]);
  const spec = { kind: "warmupStableDecay", peak, warmup, decay, shape, final, ...given({ steps }) } as const;
  return describeAs(spec, (t, total, perEpoch) => {
    const length = decaySteps(where, steps, total, perEpoch);
    const [w, d] = [stepsIn(where, warmup, length, perEpoch), stepsIn(where, decay, length, perEpoch)];
    if (w + d > length) {
      throw new ArgumentError(
        `${where}: a warmup of ${w} steps and a decay of ${d} do not fit into ${length} steps; shorten one of them`,
      );
    }
    if (t < w) return withWarmup(peak, w)(t, length, perEpoch);
    const begin = length - d;
    return t < begin ? peak : blend(final, peak, lastStretch[shape](d === 0 ? 1 : progress(t - begin, d)));
  });
}

/**
 * Decay along a hyperbolic tangent: `final + (initial − final) · (1 − tanh(lower · (1 − u) + upper · u)) / 2` (Hsueh et al.,
 * 2019). As published the ends are near `initial` and `final`, not on them: within 1e-6 and 0.25 % of the range.
 *
 * @throws ArgumentError for values that are not finite or a span that is neither a fraction nor whole steps.
 * @example
 * schedule.tanh({ initial: 1 })(70, 100); // 0.5
 */
export function tanh(options: TanhOptions): DescribedSchedule {
  const where = "schedule.tanh";
  checkOptions(where, options, ["initial", "final", "steps", "lower", "upper"]);
  const { initial, final = 0, steps, lower = -7, upper = 3 } = options;
  requireEnds(where, initial, final, steps);
  requireFinite(where, "lower", lower);
  requireFinite(where, "upper", upper);
  return describeAs({ kind: "tanh", initial, final, lower, upper, ...given({ steps }) }, (t, total, perEpoch) => {
    const u = progress(t, decaySteps(where, steps, total, perEpoch));
    return blend(final, initial, (1 - Math.tanh(blend(lower, upper, u))) / 2);
  });
}

/**
 * Reflected exponential: slow at first, steep at the end, for small budgets: `final + (initial − final) · (1 − u) / (1 − u / 2)`
 * (Chen et al., 2021).
 *
 * @throws ArgumentError for values that are not finite or a span that is neither a fraction nor whole steps.
 * @example
 * schedule.rex({ initial: 0.3 })(50, 100); // 0.2
 */
export function rex(options: LinearOptions): DescribedSchedule {
  const where = "schedule.rex";
  checkOptions(where, options, ["initial", "final", "steps"]);
  const { initial, final = 0, steps } = options;
  requireEnds(where, initial, final, steps);
  return describeAs({ kind: "rex", initial, final, ...given({ steps }) }, (t, total, perEpoch) => {
    const u = progress(t, decaySteps(where, steps, total, perEpoch));
    return blend(final, initial, (1 - u) / (1 - u / 2));
  });
}
