// What structured pruning is asked for, and the check of it.
import { requireCount, requireOneOf } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { Module, type NamedParameter, type ParameterMatches } from "../../nn/index.js";
import { matchesAny, selectParameters } from "../../nn/match.js";
import type { Parameter } from "../../tensor/parameter.js";
import { inputOf, type InputSignature } from "../../tensor/signature.js";
import { l2, type Criterion } from "../criteria.js";
import type { KeptMaker, UnitGroup } from "./groups.js";
import type { UnitScope } from "./selection.js";
import type { UnitKind } from "./value.js";

/** The share of a group's units to take away, by the name of the layer or parameter that makes them, or by a function. */
export type UnitAmount = number | Readonly<Record<string, number>> | ((name: string, parameter: Parameter) => number);

/** Options of {@link planStructured}. */
export interface StructuredOptions {
  /** What goes: channels of convolutions, neurons (outputs of linear layers and of tables), heads of attention. */
  readonly structured: UnitKind | readonly UnitKind[];
  /** From 0 to 1 (not reached); in every group at least one unit stays. */
  readonly amount: UnitAmount;
  /** The score of a weight; units with the smallest sums go. Default {@link l2}, the square. */
  readonly criterion?: Criterion | undefined;
  /** Which units are compared with one another. Default "layer": those of one group. */
  readonly scope?: UnitScope | undefined;
  /** So many units, or a multiple, stay in every group. Default 1. */
  readonly roundTo?: number | undefined;
  /** Only units of these parameters. Default all. */
  readonly match?: ParameterMatches | undefined;
  /** No units with slices of these parameters. Default none. */
  readonly keep?: ParameterMatches | undefined;
  /** One sample; needed for a model that was neither trained nor run yet. */
  readonly input?: InputSignature | undefined;
  /** Keys the random numbers that a criterion may use. Default 0. */
  readonly seed?: number | undefined;
}

/** Names of the options of {@link StructuredOptions}. */
export const structuredNames = [
  "structured",
  "amount",
  "criterion",
  "scope",
  "roundTo",
  "match",
  "keep",
  "input",
  "seed",
];
const kinds: readonly UnitKind[] = ["channels", "neurons", "heads"];

/** Options as they are used. @throws ArgumentError */
export function readOptions(where: string, model: unknown, options: StructuredOptions) {
  if (!(model instanceof Module)) {
    throw new ArgumentError(
      `${where}: structured pruning takes a module, got ${typeof model}; put it into nn.sequential(…)`,
    );
  }
  checkOptions(where, options, structuredNames);
  const wanted = typeof options.structured === "string" ? [options.structured] : options.structured;
  if (!Array.isArray(wanted) || wanted.length === 0) requireOneOf(where, "structured", wanted, kinds);
  for (const kind of wanted) requireOneOf(where, "structured", kind, kinds);
  const { scope = "layer", roundTo = 1, seed = 0, criterion = l2 } = options;
  if (typeof criterion !== "function") {
    throw new ArgumentError(
      `${where}: criterion must be a function such as prune.l2 or prune.taylor, got ${got(criterion)}`,
    );
  }
  requireOneOf(where, "scope", scope, ["layer", "isomorphic", "global"]);
  requireCount(where, "roundTo", roundTo);
  requireCount(where, "seed", seed, 0);
  const input = options.input ?? inputOf(model);
  if (!input) {
    throw new ArgumentError(
      `${where}: the model has not been trained or run, so its input is not known; give { input: { dtype: "f32", shape: [784] } } (one sample)`,
    );
  }
  return { input, wanted, scope, roundTo, seed, criterion };
}

/** @throws ArgumentError for a name or pattern that means no parameter. */
export function requireNames(
  where: string,
  { match, keep, amount }: StructuredOptions,
  named: readonly NamedParameter[],
): void {
  if (match !== undefined) selectParameters(where, "match", match, named);
  if (keep !== undefined) selectParameters(where, "keep", keep, named);
  if (typeof amount !== "object" || amount === null) return;
  for (const name of Object.keys(amount)) selectParameters(where, "amount", name, named);
}

/** The groups that are asked for. @throws ArgumentError if there are none, with the reasons */
export function choose(
  where: string,
  groups: readonly UnitGroup[],
  wanted: readonly UnitKind[],
  options: StructuredOptions,
  kept: readonly KeptMaker[],
): UnitGroup[] {
  const { match, keep } = options;
  const ofKind = groups.filter(({ kind }) => wanted.includes(kind));
  const chosen = ofKind.filter(
    (group) =>
      (match === undefined || touches(producers(group), match)) &&
      (keep === undefined || !touches(group.members, keep)),
  );
  if (chosen.length > 0) return chosen;
  const kindsText = wanted.join(" or ");
  if (ofKind.length > 0) {
    const names = ofKind.slice(0, 4).map(({ name }) => `"${name}"`);
    throw new ArgumentError(
      `${where}: match and keep leave no ${kindsText} to prune; there are those of ${names.join(", ")}`,
    );
  }
  const reasons = kept.filter(({ kind }) => wanted.includes(kind)).slice(0, 3);
  const why = reasons.map(({ name, reason }) => `"${name}": ${reason}`).join("; ");
  throw new ArgumentError(`${where}: the model has no ${kindsText} that could go${why && ` (${why})`}`);
}

type Members = UnitGroup["members"];

// What makes the units: the first axes of weights; all members where there are none.
function producers({ members }: UnitGroup): Members {
  const rows = members.filter(({ axis, parameter }) => axis === 0 && parameter.shape.length > 1);
  return rows.length > 0 ? rows : members;
}

const touches = (members: Members, matches: ParameterMatches): boolean =>
  members.some((member) => matchesAny(matches, member));

/** The share of a group to take away. @throws ArgumentError */
export function amountOf(where: string, group: UnitGroup, amount: UnitAmount): number {
  const made = producers(group);
  const value =
    typeof amount === "function"
      ? amount(made[0]!.name, made[0]!.parameter)
      : typeof amount === "number"
        ? amount
        : (Object.entries(amount).find(([name]) => touches(made, name))?.[1] ?? 0);
  if (typeof value === "number" && value >= 0 && value < 1) return value;
  throw new ArgumentError(
    `${where}: amount must be from 0 to 1 (not reached), got ${String(value)} for "${group.name}"`,
  );
}
