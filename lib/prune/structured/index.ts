// Structured pruning: whole channels, neurons and attention heads are taken away, and the shapes shrink with them.
import { ArgumentError, checkOptions } from "../../errors.js";
import { Module, type ParameterMatch } from "../../nn/index.js";
import { requireCount, requireOneOf } from "../../ops/require.js";
import type { Parameter } from "../../tensor/parameter.js";
import { inputOf, type InputSignature } from "../../tensor/signature.js";
import { analyse } from "./analysis.js";
import { cutsOf } from "./cuts.js";
import { groupsOf, type UnitGroup } from "./groups.js";
import { scoresOf, type UnitCriterion, type WeightScores } from "./importance.js";
import { StructuredPlan } from "./plan.js";
import { select, type UnitScope } from "./selection.js";
import type { UnitKind } from "./value.js";

export type { UnitCriterion, UnitCriterionInputs, WeightScores } from "./importance.js";
export { sliceStates, StructuredPlan } from "./plan.js";
export type { PlannedCut, PlannedGroup } from "./plan-types.js";
export type { KeptMaker } from "./groups.js";
export type { UnitScope } from "./selection.js";
export type { UnitKind } from "./value.js";

/** The share of a group's units to take away, by the name of the layer or parameter that makes them, or by a function. */
export type UnitAmount = number | Readonly<Record<string, number>> | ((name: string, parameter: Parameter) => number);

/** Options of {@link planStructured}. */
export interface StructuredOptions {
  /** What goes: channels of convolutions, neurons (outputs of linear layers and of tables), heads of attention. */
  readonly structured: UnitKind | readonly UnitKind[];
  /** From 0 to 1 (not reached); in every group at least one unit stays. */
  readonly amount: UnitAmount;
  /** The score of a weight; units with the smallest sums go. Default the square. */
  readonly criterion?: UnitCriterion | undefined;
  /** Which units are compared with one another. Default "layer": those of one group. */
  readonly scope?: UnitScope | undefined;
  /** So many units, or a multiple, stay in every group. Default 1. */
  readonly roundTo?: number | undefined;
  /** Only units of these parameters. Default all. */
  readonly match?: ParameterMatch | readonly ParameterMatch[] | undefined;
  /** No units with slices of these parameters. Default none. */
  readonly keep?: ParameterMatch | readonly ParameterMatch[] | undefined;
  /** One sample; needed for a model that was neither trained nor run yet. */
  readonly input?: InputSignature | undefined;
  /** Keys the random numbers that a criterion may use. Default 0. */
  readonly seed?: number | undefined;
}

const known = ["structured", "amount", "criterion", "scope", "roundTo", "match", "keep", "input", "seed"];
const kinds: readonly UnitKind[] = ["channels", "neurons", "heads"];

/**
 * What structured pruning would do. The model is traced, and its units are followed through every operation: what can only go
 * together is one group (DepGraph, Fang et al. 2023). Nothing is changed.
 *
 * @param scores of single weights, for criteria that need data; default the criterion's.
 * @throws ArgumentError for options, if the model's input is not known, or if there is nothing to prune, with the reasons.
 * @example
 * const model = nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 2));
 * const plan = prune.plan(model, { structured: "neurons", amount: 0.5, input: { dtype: "f32", shape: [4] } });
 * plan.cuts[0]; // { name: "0.weight", before: [8, 4], after: [4, 4] }
 */
export function planStructured<M extends Module>(
  model: M,
  options: StructuredOptions,
  scores?: WeightScores,
): StructuredPlan<M> {
  const where = "prune.plan";
  const { input, wanted, scope, roundTo, seed } = read(where, model, options);
  const names = new Map(
    model
      .assignNames()
      .namedParameters()
      .map(({ name, parameter }) => [parameter, name]),
  );
  const analysis = analyse(where, model, input);
  const { groups, kept } = groupsOf(analysis, (parameter) => names.get(parameter)!);
  const chosen = choose(where, groups, wanted, options, kept);
  const amounts = chosen.map((group) => amountOf(where, group, options.amount));
  const criterion = options.criterion ?? (({ weight }) => weight.square());
  const found = scoresOf(where, chosen, criterion, { seed, scores });
  const candidates = chosen.map((group, i) => ({ group, scores: found[i]!, amount: amounts[i]! }));
  const gone = select(candidates, scope, roundTo);
  const removed = new Set(gone.flatMap((list, i) => list.map((unit) => chosen[i]!.units[unit]!.id)));
  return new StructuredPlan({
    model,
    input,
    analysis,
    names,
    planned: candidates.map((candidate, i) => ({ ...candidate, removed: gone[i]! })),
    untouched: groups.filter((group) => !chosen.includes(group)),
    kept,
    cuts: cutsOf(analysis.axesOf, analysis.units, removed),
    removed,
  });
}

/** The shrunk copy that a plan describes. */
export const applyStructured = <M extends Module>(plan: StructuredPlan<M>): M => plan.apply();

function read(where: string, model: unknown, options: StructuredOptions) {
  if (!(model instanceof Module)) {
    throw new ArgumentError(
      `${where}: structured pruning takes a module, got ${typeof model}; put it into nn.sequential(…)`,
    );
  }
  checkOptions(where, options, known);
  const wanted = typeof options.structured === "string" ? [options.structured] : options.structured;
  if (!Array.isArray(wanted) || wanted.length === 0) requireOneOf(where, "structured", wanted, kinds);
  for (const kind of wanted) requireOneOf(where, "structured", kind, kinds);
  const { scope = "layer", roundTo = 1, seed = 0 } = options;
  requireOneOf(where, "scope", scope, ["layer", "isomorphic", "global"]);
  requireCount(where, "roundTo", roundTo);
  requireCount(where, "seed", seed, 0);
  const input = options.input ?? inputOf(model);
  if (!input) {
    throw new ArgumentError(
      `${where}: the model has not been trained or run, so its input is not known; give { input: { dtype: "f32", shape: [784] } } (one sample)`,
    );
  }
  return { input, wanted, scope, roundTo, seed };
}

// The groups that are asked for.
function choose(
  where: string,
  groups: readonly UnitGroup[],
  wanted: readonly UnitKind[],
  options: StructuredOptions,
  kept: readonly { readonly name: string; readonly kind: UnitKind; readonly reason: string }[],
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

function touches(members: Members, matches: ParameterMatch | readonly ParameterMatch[]): boolean {
  const list = Array.isArray(matches) ? (matches as readonly ParameterMatch[]) : [matches as ParameterMatch];
  return members.some(({ name, parameter }) => list.some((match) => isMatch(match, name, parameter)));
}

function isMatch(match: ParameterMatch, name: string, parameter: Parameter): boolean {
  if (typeof match === "function") return match(name, parameter);
  return typeof match === "string" ? name === match || name.startsWith(`${match}.`) : name.search(match) !== -1;
}

function amountOf(where: string, group: UnitGroup, amount: UnitAmount): number {
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
