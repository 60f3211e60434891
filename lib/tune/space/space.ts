// A space as the user writes it: an object of distributions, groups and conditional sub-spaces; and the type of its parameters.
import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";
import type { Distribution, ValueOf } from "./distribution.js";

/** A sub-space for each value of another parameter, made by {@link when}. */
export interface Conditional<
  On extends string = string,
  Branches extends Record<string, Space> = Record<string, Space>,
> {
  readonly kind: "when";
  readonly on: On;
  readonly branches: Branches;
}

/** Parameters by name; a plain object inside is a group of them. */
export interface Space {
  readonly [name: string]: Distribution | Conditional<string, any> | Space; // eslint-disable-line @typescript-eslint/no-explicit-any -- Record<string, Space> would refer to itself
}

/**
 * Parameters that exist only for one value of another, which stands beside them or further out: a choice, or a whole number.
 * The parameters of the branch that was chosen are an object under the name that the conditional has; values without a branch
 * have an empty one.
 *
 * @throws ArgumentError unless `branches` is an object of spaces.
 * @example
 * const space = {
 *   optimizer: tune.choice(["sgd", "adam"]),
 *   settings: tune.when("optimizer", {
 *     sgd: { momentum: tune.uniform(0, 0.99) },
 *     adam: { beta1: tune.uniform(0.8, 0.99) },
 *   }),
 * };
 * const objective = (_: unknown, { params }: { params: ParamsOf<typeof space> }) =>
 *   params.optimizer === "sgd" ? params.settings.momentum : params.settings.beta1;
 */
export function when<const On extends string, const Branches extends Record<string, Space>>(
  on: On,
  branches: Branches,
): Conditional<On, Branches> {
  if (typeof on !== "string" || on === "") {
    throw new ArgumentError(`tune.when: expected the name of a parameter first, got ${got(on)}`);
  }
  if (typeof branches !== "object" || branches === null || Array.isArray(branches)) {
    throw new ArgumentError(
      `tune.when: expected an object with a space for each value of "${on}", got ${got(branches)}`,
    );
  }
  return { kind: "when", on, branches };
}

/** Whether something was made by {@link when}. */
export const isConditional = (value: unknown): value is Conditional =>
  typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "when";

type Flat<T> = T extends unknown ? { [K in keyof T]: T[K] } : never;
type Intersection<T> = { [K in keyof T]: (part: T[K]) => void }[keyof T] extends (part: infer All) => void
  ? All
  : unknown;

type PlainOf<S> = {
  [K in keyof S as S[K] extends Conditional<string, any> ? never : K]: S[K] extends Distribution // eslint-disable-line @typescript-eslint/no-explicit-any
    ? ValueOf<S[K]>
    : ParamsOf<S[K]>;
};

// The value of a choice that a branch's key stands for: "2" for 2, "true" for true.
type Matching<T, Key> = T extends string | number | boolean | null ? (`${T}` extends Key ? T : never) : never;
type KeysOf<Branches> = { [V in keyof Branches]: `${V & (string | number)}` }[keyof Branches];
type OnOf<S, On> = On extends keyof S ? ValueOf<S[On]> : never;

/* eslint-disable @typescript-eslint/no-generated-empty-object-type -- a branch without parameters is an empty object */
type BranchesOf<S, K extends PropertyKey, On extends string, Branches> =
  | {
      [V in keyof Branches]: (On extends keyof S
        ? Record<On, number extends OnOf<S, On> ? number : Matching<OnOf<S, On>, `${V & (string | number)}`>>
        : unknown) & { [P in K]: ParamsOf<Branches[V]> };
    }[keyof Branches]
  | (On extends keyof S
      ? Exclude<OnOf<S, On>, Matching<OnOf<S, On>, KeysOf<Branches>>> extends infer Rest
        ? [Rest] extends [never]
          ? never
          : Record<On, Rest> & Record<K, Record<never, never>>
        : never
      : Record<K, Record<never, never>>);

type ConditionalsOf<S> = Intersection<{
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  [K in keyof S as S[K] extends Conditional<string, any> ? K : never]: S[K] extends Conditional<
    infer On,
    infer Branches
  >
    ? BranchesOf<S, K, On, Branches>
    : never;
}>;

/** The parameters of a space: numbers, the values of choices, objects for groups and for the branch that was chosen. */
export type ParamsOf<S> = Flat<PlainOf<S> & ConditionalsOf<S>>;
