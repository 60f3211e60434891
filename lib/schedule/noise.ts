// Seeded noise on a schedule: a pure function of seed and step, so that a resumed run draws what an undisturbed one would.

import { requireFinite, requireOneOf } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { describe, describeAs, from, type DescribedSchedule, type ScheduleLike } from "./schedule.js";
import type { NoiseOptions } from "./spec.js";

/**
 * The schedule with every value multiplied by 1 + ε, ε drawn anew at each step from (seed, step): uniform within ± `amount`, or
 * normal with that standard deviation, cut at three of them.
 *
 * @throws ArgumentError for an amount that is negative or takes the value below 0, or a seed that is not a whole number.
 * @example
 * const lr = schedule.noise(schedule.cosine({ peak: 1e-3 }), { amount: 0.1, seed: 7 });
 * lr(10, 100) === lr(10, 100); // true
 */
export function noise(schedule: ScheduleLike, options: NoiseOptions): DescribedSchedule {
  const where = "schedule.noise";
  checkOptions(where, options, ["amount", "distribution", "seed"]);
  const { amount, distribution = "uniform", seed = 0 } = options;
  const inner = from(schedule, where);
  requireFinite(where, "amount", amount);
  requireOneOf(where, "distribution", distribution, ["uniform", "normal"]);
  const most = distribution === "normal" ? 1 / 3 : 1;
  if (amount < 0 || amount > most) {
    const range = distribution === "normal" ? "1/3" : "1";
    throw new ArgumentError(`${where}: amount must be from 0 to ${range}, or values would change sign, got ${amount}`);
  }
  if (!Number.isSafeInteger(seed))
    throw new ArgumentError(`${where}: seed must be a whole number, got ${String(seed)}`);
  const spec = { kind: "noise", schedule: describe(inner), amount, distribution, seed } as const;
  const draw = distribution === "normal" ? normal : uniform;
  return describeAs(spec, (t, total, perEpoch) => inner(t, total, perEpoch) * (1 + amount * draw(seed, t)));
}

const uniform = (seed: number, step: number): number => 2 * unit(seed, step, 0) - 1;

// Box and Muller, 1958.
function normal(seed: number, step: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - unit(seed, step, 0)));
  return Math.max(-3, Math.min(3, radius * Math.cos(2 * Math.PI * unit(seed, step, 1))));
}

/** In [0, 1): the words of seed and step, mixed one after another. */
function unit(seed: number, step: number, stream: number): number {
  let state = stream;
  for (const word of [seed % 2 ** 32, Math.floor(seed / 2 ** 32), step % 2 ** 32, Math.floor(step / 2 ** 32)]) {
    state = mix(Math.imul(state ^ word, 0x9e3779b1) + word);
  }
  return (mix(state) >>> 0) / 2 ** 32;
}

// The finalizer of MurmurHash3 (Appleby): a bijection of 32 bits in which every bit of the input changes half of the output's.
function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
