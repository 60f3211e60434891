// Groups: units that make the same slices of the same parameters, such as the channels of one convolution with everything that
// goes with them. A group is pruned by choosing among its units.
import type { Parameter } from "../../tensor/parameter.js";
import type { Analysis } from "./analysis.js";
import type { UnitKind } from "./value.js";

/** Slices of a parameter that go with a unit. */
export interface Slices {
  readonly axis: number;
  readonly indices: readonly number[];
}

/** What goes when a unit goes. */
export interface Unit {
  /** Its class. */
  readonly id: number;
  readonly slices: ReadonlyMap<Parameter, readonly Slices[]>;
}

/** A parameter's axis in a group. */
export interface Member {
  readonly name: string;
  readonly parameter: Parameter;
  readonly axis: number;
  /** Slices that one unit takes. */
  readonly perUnit: number;
}

/** Units with the same members, in order. */
export interface UnitGroup {
  /** What makes them: layers, joined by " + ". */
  readonly name: string;
  readonly kind: UnitKind;
  readonly units: readonly Unit[];
  readonly members: readonly Member[];
}

/** What makes units that must stay. */
export interface KeptMaker {
  readonly name: string;
  readonly kind: UnitKind;
  readonly count: number;
  readonly reason: string;
}

const rank: readonly UnitKind[] = ["neurons", "channels", "heads"];

/** Groups of every kind, in the order of the model, and what must stay. */
export function groupsOf(
  analysis: Analysis,
  nameOf: (parameter: Parameter) => string,
): { groups: UnitGroup[]; kept: KeptMaker[] } {
  const { units } = analysis;
  const kinds = kindsOf(analysis);
  const byClass = new Map<number, Map<Parameter, Slices[]>>();
  for (const [parameter, axes] of analysis.axesOf) {
    axes.forEach((unitsOfAxis, axis) => collect(byClass, parameter, axis, unitsOfAxis, analysis));
  }
  const byMembers = new Map<string, { units: Unit[]; kind: UnitKind }>();
  const numbers = new Map([...analysis.axesOf.keys()].map((parameter, i) => [parameter, i]));
  for (const [id, slices] of byClass) {
    const made = kinds.get(id);
    if (!made) continue;
    const key = [...slices]
      .flatMap(([parameter, list]) =>
        list.map(({ axis, indices }) => `${numbers.get(parameter)!}:${axis}:${indices.length}`),
      )
      .join(" ");
    const group = byMembers.get(key) ?? { units: [], kind: made.kind };
    group.units.push({ id, slices });
    byMembers.set(key, group);
  }
  const groups = [...byMembers.values()].map(({ units: own, kind }): UnitGroup => {
    const name = [...new Set(own.flatMap(({ id }) => [...kinds.get(id)!.labels]))].join(" + ");
    const members = [...own[0]!.slices].flatMap(([parameter, list]) =>
      list.map(({ axis, indices }) => ({ name: nameOf(parameter), parameter, axis, perUnit: indices.length })),
    );
    return { name, kind, units: own, members };
  });
  return { groups, kept: keptOf(analysis, units.reasonOf.bind(units)) };
}

function collect(
  byClass: Map<number, Map<Parameter, Slices[]>>,
  parameter: Parameter,
  axis: number,
  places: Int32Array,
  { units }: Analysis,
): void {
  const found = new Map<number, number[]>();
  places.forEach((unit, index) => {
    if (units.reasonOf(unit) !== undefined) return;
    const id = units.classOf(unit);
    const indices = found.get(id);
    if (indices) indices.push(index);
    else found.set(id, [index]);
  });
  for (const [id, indices] of found) {
    const slices = byClass.get(id) ?? new Map<Parameter, Slices[]>();
    byClass.set(id, slices);
    const list = slices.get(parameter) ?? [];
    slices.set(parameter, list);
    list.push({ axis, indices });
  }
}

// The kind of every class, the most particular of its makers', and their names.
function kindsOf({ units, makers }: Analysis): Map<number, { kind: UnitKind; labels: Set<string> }> {
  const kinds = new Map<number, { kind: UnitKind; labels: Set<string> }>();
  for (const { kind, axis, label } of makers) {
    for (const unit of axis) {
      const id = units.classOf(unit);
      const known = kinds.get(id);
      if (!known || rank.indexOf(kind) > rank.indexOf(known.kind)) kinds.set(id, { kind, labels: new Set([label]) });
      else if (known.kind === kind) known.labels.add(label);
    }
  }
  return kinds;
}

function keptOf({ makers }: Analysis, reasonOf: (unit: number) => string | undefined): KeptMaker[] {
  const kept = new Map<string, KeptMaker>();
  for (const { kind, axis, label: name } of makers) {
    const reasons = [...axis].map(reasonOf).filter((reason) => reason !== undefined);
    if (reasons.length < axis.length || kept.has(name)) continue;
    kept.set(name, { name, kind, count: axis.length, reason: reasons[0]! });
  }
  return [...kept.values()];
}
