// From a description back to the schedule. A kind of ScheduleSpec without its rule in `rebuild` does not compile.

import { ArgumentError } from "../errors.js";
import { chain, clamp, repeat, scale, sequence, warmup } from "./compose.js";
import { cosineRestarts, cyclic, oneCycle, oneCycleMomentum } from "./cycles.js";
import { inverseSqrt, multiStep, rex, tanh, warmupStableDecay } from "./decays.js";
import { noise } from "./noise.js";
import { describe, nameOf, type Schedule, type ScheduleLike } from "./schedule.js";
import { constant, cosine, exponential, linear, piecewise, polynomial, step } from "./shapes.js";
import type { ScheduleSpec } from "./spec.js";

type Rebuild = { [Kind in ScheduleSpec["kind"]]: (spec: Extract<ScheduleSpec, { kind: Kind }>) => Schedule };

const rebuild: Rebuild = {
  constant: ({ value }) => constant(value),
  step: ({ kind: _, ...options }) => step(options),
  exponential: ({ kind: _, ...options }) => exponential(options),
  linear: ({ kind: _, ...options }) => linear(options),
  polynomial: ({ kind: _, ...options }) => polynomial(options),
  cosine: ({ kind: _, ...options }) => cosine(options),
  multiStep: ({ kind: _, ...options }) => multiStep(options),
  inverseSqrt: ({ kind: _, ...options }) => inverseSqrt(options),
  warmupStableDecay: ({ kind: _, ...options }) => warmupStableDecay(options),
  tanh: ({ kind: _, ...options }) => tanh(options),
  rex: ({ kind: _, ...options }) => rex(options),
  cosineRestarts: ({ kind: _, ...options }) => cosineRestarts(options),
  cyclic: ({ kind: _, ...options }) => cyclic(options),
  oneCycle: ({ kind: _, ...options }) => oneCycle(options),
  oneCycleMomentum: ({ kind: _, ...options }) => oneCycleMomentum(options),
  piecewise: ({ kind: _, points, ...options }) => piecewise(points, options),
  warmup: (spec) => warmup(fromJSON(spec.schedule), spec.span, { from: spec.from }),
  sequence: (spec) =>
    sequence([...spec.parts.map(([part, span]) => [fromJSON(part), span] as const), fromJSON(spec.last)]),
  scale: (spec) => scale(fromJSON(spec.schedule), fromJSON(spec.by)),
  chain: (spec) => chain(spec.parts.map(fromJSON)),
  clamp: ({ kind: _, schedule, ...options }) => clamp(fromJSON(schedule), options),
  noise: ({ kind: _, schedule, ...options }) => noise(fromJSON(schedule), options),
  repeat: (spec) => repeat(fromJSON(spec.schedule), spec.every),
  custom: ({ name }) => {
    throw new ArgumentError(
      `schedule.fromJSON: "${name || "anonymous"}" is a function of your own and cannot be restored from its description; pass the function again`,
    );
  },
};

/**
 * The schedule that a description came from.
 *
 * @throws ArgumentError for an unknown kind, bad options, or a function of the user's own.
 * @example
 * const lr = schedule.fromJSON(JSON.parse(JSON.stringify(schedule.cosine({ peak: 1e-3 }))));
 */
export function fromJSON(spec: ScheduleSpec): Schedule {
  const rule = Object.hasOwn(rebuild, spec?.kind) ? rebuild[spec.kind] : undefined;
  if (rule) return (rule as (spec: ScheduleSpec) => Schedule)(spec);
  throw new ArgumentError(
    `schedule.fromJSON: unknown kind ${nameOf(spec?.kind)}, expected one of ${Object.keys(rebuild).join(", ")}`,
  );
}

/** Whether two schedules have the same description; functions of the user's own are the same only if identical. */
export function same(a: ScheduleLike, b: ScheduleLike): boolean {
  if (a === b) return true;
  const [left, right] = [describe(a), describe(b)];
  return !hasCustom(left) && JSON.stringify(left) === JSON.stringify(right);
}

function hasCustom(spec: ScheduleSpec): boolean {
  return JSON.stringify(spec).includes('"kind":"custom"');
}
