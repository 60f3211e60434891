// A plan carried out: this rank's part of a model, and the whole model again from the parts of all ranks.
import type { Module } from "../../nn/index.js";
import { shrink } from "../../prune/structured/apply.js";
import { cutArray, cutsOf, type Cut } from "../../prune/structured/cuts.js";
import type { NdArray } from "../../tensor/nd-array.js";
import type { Parameter } from "../../tensor/parameter.js";
import { Program } from "../../tensor/program.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Trace, within } from "../../tensor/trace.js";
import { throughRanks } from "../../train/ranks/ranks.js";
import { joined } from "../../train/ranks/whole.js";
import { TensorForm, TokenForm } from "./forms.js";
import type { Choice, PlanParts } from "./plan.js";

const where = "parallel.tensor";

/** The places along one axis that every rank has of a parameter. */
export interface Places {
  readonly axis: number;
  readonly ranks: readonly (readonly number[])[];
}

const startOf = (sizes: readonly number[], rank: number): number =>
  sizes.slice(0, rank).reduce((sum, size) => sum + size, 0);

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

// Classes of units that are other ranks'.
function removedFor(choices: readonly Choice[], rank: number): Set<number> {
  return new Set(
    choices.flatMap(({ units, sizes }) => {
      const first = startOf(sizes, rank);
      return units.filter((_, i) => i < first || i >= first + sizes[rank]!);
    }),
  );
}

/** What every rank has of each parameter that is divided. */
export function placesOf<M extends Module>({ analysis, choices, group }: PlanParts<M>): Map<Parameter, Places> {
  const places = new Map<Parameter, Places>();
  const cuts = group.ranks.map((_, rank) => cutsOf(analysis.axesOf, analysis.units, removedFor(choices, rank)));
  for (const { members, sizes, units } of choices) {
    for (const { parameter, axis } of members) {
      const ranks = group.ranks.map((_, rank) =>
        units.length === 0 ? range(startOf(sizes, rank), sizes[rank]!) : keptBy(cuts[rank]!, parameter, axis),
      );
      places.set(parameter, { axis, ranks });
    }
  }
  return places;
}

const keptBy = (cuts: ReadonlyMap<Parameter, Cut>, parameter: Parameter, axis: number): readonly number[] =>
  cuts.get(parameter)?.[axis] ?? range(0, parameter.shape[axis]!);

/** This rank's part of the model. */
export function partOf<M extends Module>(parts: PlanParts<M>): M {
  const { model, input, analysis, group, choices } = parts;
  const removed = removedFor(choices, group.rank);
  const cuts = cutsOf(analysis.axesOf, analysis.units, removed);
  const part = shrink({ where, model, input, analysis, cuts, removed, asked: undefined });
  const copies = new Map(model.namedParameters().map(({ parameter }, i) => [parameter, part.namedParameters()[i]!]));
  const places = placesOf(parts);
  for (const { members, units } of choices) {
    for (const { parameter, axis, role } of members) {
      const own = copies.get(parameter)!.parameter;
      const { ranks } = places.get(parameter)!;
      if (units.length === 0) {
        const cut = own.shape.map((_, at) => (at === axis ? ranks[group.rank]! : undefined));
        own.become(cutArray(where, own.readSync(), own.shape, cut));
      }
      const { shape } = parameter;
      own.setParametrization(
        new TensorForm(role, group, { group: group.native, shape, axis, places: ranks }, parts.sequence),
      );
    }
  }
  for (const { parameter } of parts.sequence ? part.namedParameters() : []) {
    if (!parameter.parametrization) parameter.setParametrization(new TokenForm(group));
  }
  return part;
}

/** The whole model from the parts of all ranks. */
export async function wholeOf<M extends Module>(parts: PlanParts<M>, part: M): Promise<M> {
  const { model } = parts;
  const places = placesOf(parts);
  const named = model.namedParameters();
  const own = part.namedParameters();
  const trace = new Trace();
  let program: Program | undefined;
  try {
    within(trace, () => {
      const outputs = named.flatMap(({ name, parameter }, i): [string, Tensor][] => {
        if (!places.has(parameter)) return [];
        const divided = own[i]!.parameter;
        return [[name, joined(trace.parameter(divided), divided.parametrization!.part!)]];
      });
      trace.setOutputs(Object.fromEntries(outputs));
    });
    program = new Program(trace.compile(), where);
    const values: Record<string, NdArray> =
      program.outputs.length === 0 ? {} : await throughRanks(where, () => program!.run({}));
    const whole = model.clone();
    whole.namedParameters().forEach(({ parameter }, i) => {
      const { name } = named[i]!;
      parameter.write(values[name] ?? own[i]!.parameter.readSync());
    });
    return whole;
  } finally {
    program?.dispose();
    trace.graph.dispose();
  }
}
