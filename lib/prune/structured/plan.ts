// A plan of structured pruning: what goes with what, what stays and why, and the shrunk model on demand.
import { requireFields } from "../../guidance/arguments.js";
import { ArgumentError } from "../../errors.js";
import type { Module } from "../../nn/index.js";
import { rules, type Slot } from "../../native/rules.js";
import type { OptimizerStates } from "../../optim/index.js";
import { countOf, type NdArray } from "../../tensor/nd-array.js";
import type { Parameter } from "../../tensor/parameter.js";
import { shrink, type ShrinkSource } from "./apply.js";
import { cutArray, cutShape } from "./cuts.js";
import type { KeptMaker, UnitGroup } from "./groups.js";
import type { PlannedCut, PlannedGroup } from "./plan-types.js";
import { printPlan } from "./print.js";

/** What {@link StructuredPlan} is made of. */
export interface PlanSource<M extends Module> extends ShrinkSource<M> {
  readonly names: ReadonlyMap<Parameter, string>;
  readonly planned: readonly {
    readonly group: UnitGroup;
    readonly removed: readonly number[];
    readonly scores: readonly number[];
  }[];
  readonly untouched: readonly UnitGroup[];
  readonly kept: readonly KeptMaker[];
}

/** What structured pruning would do to a model, made by {@link planStructured}. Printing it shows what goes with what. */
export class StructuredPlan<M extends Module = Module> {
  readonly groups: readonly PlannedGroup[];
  /** Layers whose units must stay, with the reason. */
  readonly kept: readonly KeptMaker[];
  /** Parameters that change shape. */
  readonly cuts: readonly PlannedCut[];
  /** Elements of all parameters, before and after. */
  readonly size: { readonly before: number; readonly after: number };
  readonly #source: PlanSource<M>;

  /** @internal See {@link planStructured}. */
  constructor(source: PlanSource<M>) {
    this.#source = source;
    this.kept = source.kept;
    this.groups = source.planned.map(({ group, removed, scores }) => ({
      name: group.name,
      kind: group.kind,
      units: group.units.length,
      removed,
      scores,
      members: group.members.map(({ name, axis, perUnit }) => ({ name, axis, perUnit })),
    }));
    this.cuts = [...source.cuts].map(([parameter, cut]) => ({
      name: source.names.get(parameter)!,
      before: parameter.shape,
      after: cutShape(parameter.shape, cut),
    }));
    const lost = this.cuts.reduce((sum, { before, after }) => sum + countOf(before) - countOf(after), 0);
    const all = [...source.names.keys()].reduce((sum, { size }) => sum + size, 0);
    this.size = { before: all, after: all - lost };
  }

  /** The plan as a table. */
  toString(): string {
    const { groups, kept, cuts, size } = this;
    const untouched = this.#source.untouched.map(({ name, kind, units }) => ({ name, kind, count: units.length }));
    return printPlan({ groups, kept, cuts, size, untouched });
  }

  /**
   * A copy of the model without the units that go; the model itself stays as it is.
   *
   * @throws UnsupportedError if the model's code fixes a size that would change; ArgumentError if a parameter is packed or
   *   has changed its shape since.
   */
  apply(): M {
    return shrink(this.#source);
  }

  /**
   * What is left of values that have the shape of a parameter: moments, moving averages, master copies. An axis of 1 is a mean over
   * that axis of the parameter, as Adafactor keeps of rows and columns: what went was 0 and does not count in the mean any more.
   *
   * @param name of the parameter.
   * @throws ArgumentError if there is no such parameter; ShapeError for another shape.
   */
  slice(name: string, values: NdArray): NdArray {
    const found = [...this.#source.names].find(([, own]) => own === name);
    if (!found) throw new ArgumentError(`prune: the plan knows no parameter "${name}"`);
    const [parameter] = found;
    return cutArray(`prune: values for "${name}"`, values, parameter.shape, this.#source.cuts.get(parameter) ?? []);
  }

  /** @internal Names of parameters, the longest first: that is how `<parameter>.<state>` is taken apart. */
  names(): string[] {
    return [...this.#source.names.values()].sort((a, b) => b.length - a.length);
  }
}

// States that are numbers of the run rather than of elements.
const ofTheRun = new Set(
  Object.values(rules)
    .flatMap(({ state }): readonly Slot[] => state)
    .filter(({ form }) => form === "numbers")
    .map(({ name }) => name),
);

/**
 * The states of an optimizer for the shrunk model: what belongs to slices that went is left out, the rest is as it was, so that
 * training goes on where it stopped.
 *
 * @throws ArgumentError for a state of no parameter of the plan; ShapeError for one of another shape than its parameter.
 * @example
 * const model = nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 2)).assignNames();
 * const bound = optim.bind(optim.adam({ lr: 1e-3 }), model.namedParameters());
 * const plan = prune.plan(model, { structured: "neurons", amount: 0.5, input: { dtype: "f32", shape: [4] } });
 * const small = plan.apply().assignNames();
 * const next = optim.bind(optim.adam({ lr: 1e-3 }), small.namedParameters());
 * next.loadStateDict(prune.sliceStates(plan, bound.stateDict()));
 * bound.dispose();
 */
export function sliceStates(plan: StructuredPlan, states: OptimizerStates): OptimizerStates {
  requireFields("prune.sliceStates", plan, ["names", "slice"], "a plan, as prune.plan gives it");
  requireFields("prune.sliceStates", states, ["states"], "the states of an optimizer, as stateDict() gives them");
  const names = plan.names();
  const cut = Object.entries(states.states).map(([key, values]) => {
    const name = names.find((own) => key.startsWith(`${own}.`));
    if (name === undefined) {
      throw new ArgumentError(`prune.sliceStates: "${key}" is a state of no parameter of the plan`);
    }
    return [key, ofTheRun.has(key.slice(name.length + 1)) ? values : plan.slice(name, values)] as const;
  });
  return { steps: states.steps, states: Object.fromEntries(cut) };
}
