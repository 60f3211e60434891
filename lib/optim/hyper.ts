// The hyper-parameters of the update rules under their TypeScript names: "weight_decay" of native/update_rules/rules.def is
// `weightDecay` here. Names, defaults and ranges all come from that table.
import { ArgumentError } from "../errors.js";
import { uncalled } from "../guidance/factories.js";
import { got } from "../names/got.js";
import { rules, type Hyper, type RuleName } from "../native/rules.js";
import type { Schedule, ScheduleLike } from "../schedule/index.js";
import { inF32, leastF32 } from "../tensor/dtype.js";

/** A value given to a hyper-parameter: a number or a schedule of the step; a flag is `true` or `false`. */
export type HyperValue = ScheduleLike | boolean;

/** Hyper-parameters by their TypeScript names. */
export type HyperValues = Readonly<Record<string, HyperValue>>;

/** `weight_decay` → `weightDecay` */
export const camelCase = (name: string): string =>
  name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

type NamedHyper = Hyper & { readonly option: string };

const hypers = new Map<RuleName, readonly NamedHyper[]>(
  Object.entries(rules).map(([rule, { hyper }]) => [
    rule as RuleName,
    (hyper as readonly Hyper[]).map((each) => ({ ...each, option: camelCase(each.name) })),
  ]),
);

/** The hyper-parameters of a rule in the order in which they cross the binding. */
export const hypersOf = (rule: RuleName): readonly NamedHyper[] => hypers.get(rule)!;

/** Whether a state of the rule starts from the value of this hyper-parameter, which then holds for the whole run. */
const isStart = (rule: RuleName, name: string): boolean =>
  (rules[rule].state as readonly { readonly init: number | string }[]).some(({ init }) => init === name);

/**
 * Checks the values that options give.
 *
 * @throws ArgumentError for a value of another kind or outside of its range.
 */
export function checkHypers(where: string, rule: RuleName, values: HyperValues): void {
  for (const hyper of hypersOf(rule)) {
    const value = values[hyper.option];
    if (value === undefined) continue;
    if (!("interval" in hyper)) {
      if (typeof value !== "boolean") {
        throw new ArgumentError(`${where}: ${hyper.option} must be true or false, got ${got(value)}`);
      }
    } else if (typeof value === "function") {
      const instead = uncalled(value);
      if (instead !== undefined) throw new ArgumentError(`${where}: ${hyper.option}: ${instead}`);
      if (isStart(rule, hyper.name)) {
        throw new ArgumentError(
          `${where}: ${hyper.option} is where a state starts from; it takes a number, no schedule`,
        );
      }
    } else {
      checkNumber(where, hyper.option, value, hyper.interval);
      if (value !== 0 && inF32(value) === 0) throw tooSmall(where, hyper.option, value);
    }
  }
}

// Steps are taken in f32, so that a value must be in its range there as well.
function checkNumber(where: string, name: string, value: unknown, interval: string): asserts value is number {
  const isNumber = typeof value === "number";
  if (isNumber && within(value, interval) && within(inF32(value), interval)) return;
  const range = interval === "(-inf, inf)" ? "finite" : `in ${interval}`;
  const kind = isNumber ? "" : "a number or a schedule, ";
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
  const way = Number.isFinite(number) ? `; write ${name}: ${number}` : "";
  const rounded = isNumber && within(value, interval) ? `, which is ${inF32(value)} in f32` : "";
  throw new ArgumentError(`${where}: ${name} must be ${kind}${range}, got ${got(value)}${rounded}${way}`);
}

/** The error for a number that is 0 in f32 and was not meant to be. */
export function tooSmall(where: string, name: string, value: number): ArgumentError {
  return new ArgumentError(
    `${where}: ${name} must be 0 or at least ${leastF32.toPrecision(2)}, the smallest number of f32, got ${value}`,
  );
}

/** Whether a finite value lies in an interval such as "[0, 1)". */
export function within(value: number, interval: string): boolean {
  const match = /^([[(])(\S+), (\S+)([\])])$/.exec(interval);
  if (!match || !Number.isFinite(value)) return false;
  const [low, high] = [bound(match[2]!), bound(match[3]!)];
  return (match[1] === "[" ? value >= low : value > low) && (match[4] === "]" ? value <= high : value < high);
}

const bound = (text: string): number => Number(text.replace("inf", "Infinity"));

/** What a schedule is a function of: the step, the length of the run, the steps of an epoch where they are known. */
export type Moment = readonly [step: number, total: number, stepsPerEpoch: number | undefined];

/**
 * The values of one group at a step, in the order of the rule; flags as 0 and 1. A schedule may fade to less than f32 can hold,
 * which is 0 then, but for `eps`: that would divide by it.
 *
 * @throws ArgumentError if a schedule leaves the range of its hyper-parameter.
 */
export function rowAt(
  where: string,
  rule: RuleName,
  values: HyperValues,
  [step, total, stepsPerEpoch]: Moment,
): number[] {
  return hypersOf(rule).map((hyper) => {
    const value = values[hyper.option] ?? hyper.default;
    if (typeof value === "boolean") return value ? 1 : 0;
    if (typeof value === "number") return value;
    const number = value(step, total, stepsPerEpoch);
    if ("interval" in hyper) checkNumber(where, `${hyper.option} at step ${step}`, number, hyper.interval);
    if (hyper.name === "eps" && number !== 0 && inF32(number) === 0) {
      throw tooSmall(where, `${hyper.option} at step ${step}`, number);
    }
    return number;
  });
}

/**
 * The values that decide which states a group needs. A schedule may begin at 0 and leave it later, so that it counts as not 0.
 */
export function memoryRow(rule: RuleName, values: HyperValues): number[] {
  const asNumber = (value: HyperValue) => (typeof value === "function" ? 0.5 : Number(value));
  return hypersOf(rule).map((hyper) => asNumber(values[hyper.option] ?? hyper.default));
}

/** A hyper-parameter as a schedule. */
export function scheduleOf(rule: RuleName, values: HyperValues, option: string): Schedule {
  const hyper = hypersOf(rule).find((candidate) => candidate.option === option);
  const value = values[option] ?? hyper?.default ?? 0;
  return typeof value === "function" ? value : () => Number(value);
}
