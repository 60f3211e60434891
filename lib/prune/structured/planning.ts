// From a model and options to a plan: units, their scores, the choice among them.
import { requireFields } from "../../guidance/arguments.js";
import { ArgumentError } from "../../errors.js";
import type { Module } from "../../nn/index.js";
import { requireSoundSync } from "../../nn/sound.js";
import type { Parameter } from "../../tensor/parameter.js";
import type { Tensor } from "../../tensor/tensor.js";
import { criterionInputs } from "../criterion-inputs.js";
import { analyse } from "./analysis.js";
import { cutsOf } from "./cuts.js";
import { groupsOf, type UnitGroup } from "./groups.js";
import { scoreJob } from "./importance.js";
import { amountOf, choose, readOptions, requireNames, type StructuredOptions } from "./options.js";
import { StructuredPlan } from "./plan.js";
import { select } from "./selection.js";

/**
 * What structured pruning would do. The model is traced, and its units are followed through every operation: what can only go
 * together is one group (DepGraph, Fang et al. 2023). Nothing is changed.
 *
 * @throws ArgumentError for options, if the model's input is not known, for a criterion that needs data (`prune` takes that), or
 *   if there is nothing to prune, with the reasons.
 * @example
 * const model = nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 2));
 * const plan = prune.plan(model, { structured: "neurons", amount: 0.5, input: { dtype: "f32", shape: [4] } });
 * plan.cuts[0]; // { name: "0.weight", before: [8, 4], after: [4, 4] }
 */
export function planStructured<M extends Module>(model: M, options: StructuredOptions): StructuredPlan<M> {
  const where = "prune.plan";
  const draft = draftPlan(where, model, options);
  const score = (parameter: Parameter): Tensor =>
    draft.criterion(
      criterionInputs(parameter.tensor(), (name) => {
        throw new ArgumentError(
          `${where}: the criterion reads ${name}, which takes samples: await prune(model, { structured, amount, criterion, calibrate, loss })`,
        );
      }),
    );
  return finishPlan(draft, scoreJob(where, draft.chosen, score, draft.seed).runSync());
}

/** The shrunk copy that a plan describes. */
export function applyStructured<M extends Module>(plan: StructuredPlan<M>): M {
  requireFields("prune.applyStructured", plan, ["apply"], "a plan, as prune.plan gives it");
  return plan.apply();
}

/** @internal All of a plan that comes before scores. */
export function draftPlan<M extends Module>(where: string, model: M, options: StructuredOptions) {
  const read = readOptions(where, model, options);
  const named = model.assignNames().namedParameters();
  const names = new Map(named.map(({ name, parameter }) => [parameter, name]));
  requireNames(where, options, named);
  requireSoundSync(where, model, []);
  const analysis = analyse(where, model, read.input);
  const { groups, kept } = groupsOf(analysis, (parameter) => names.get(parameter)!);
  const chosen = choose(where, groups, read.wanted, options, kept);
  const amounts = chosen.map((group) => amountOf(where, group, options.amount));
  const { structured, amount, criterion } = options;
  const asked = { structured, amount, scope: read.scope, roundTo: read.roundTo, criterion: criterion?.name };
  return { ...read, asked, model, names, analysis, groups, kept, chosen, amounts };
}

/** @internal What {@link draftPlan} gives. */
export type Draft<M extends Module> = Omit<ReturnType<typeof draftPlan>, "model"> & { readonly model: M };

/** @internal The plan by the scores of the units of each chosen group. */
export function finishPlan<M extends Module>(draft: Draft<M>, scores: readonly number[][]): StructuredPlan<M> {
  const { model, input, analysis, names, groups, kept, chosen, amounts } = draft;
  const candidates = chosen.map((group: UnitGroup, i) => ({ group, scores: scores[i]!, amount: amounts[i]! }));
  const gone = select(candidates, draft.scope, draft.roundTo);
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
    asked: draft.asked,
  });
}
