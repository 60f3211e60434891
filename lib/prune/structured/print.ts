// A plan as text.
import type { KeptMaker } from "./groups.js";
import type { PlannedCut, PlannedGroup } from "./plan-types.js";
import { alignedRows } from "../../tensor/text-table.js";
import type { UnitKind } from "./value.js";

const count = (n: number): string => n.toLocaleString("en-US");

/** What is printed of a plan. */
export interface Printable {
  readonly groups: readonly PlannedGroup[];
  readonly kept: readonly KeptMaker[];
  readonly cuts: readonly PlannedCut[];
  readonly size: { readonly before: number; readonly after: number };
  /** Groups that were not asked for. */
  readonly untouched: readonly { readonly name: string; readonly kind: UnitKind; readonly count: number }[];
}

/** Groups with what goes together, what stays and why, and the sizes. */
export function printPlan({ groups, kept, cuts, size, untouched }: Printable): string {
  const lines = groups.flatMap(printGroup);
  if (kept.length + untouched.length > 0) {
    const rows = [
      ...kept.map(({ name, kind, count: n, reason }) => [name, `${count(n)} ${kind}`, reason]),
      ...untouched.map(({ name, kind, count: n }) => [name, `${count(n)} ${kind}`, "not asked for"]),
    ];
    lines.push("stays as it is", ...inset(rows));
  }
  if (cuts.length > 0) {
    lines.push(
      "shapes",
      ...inset(cuts.map(({ name, before, after }) => [name, `[${before.join(", ")}]`, `→ [${after.join(", ")}]`])),
    );
  }
  const share = size.before === 0 ? 100 : (100 * size.after) / size.before;
  lines.push(`parameters ${count(size.before)} → ${count(size.after)} (${share.toFixed(1)} %)`);
  return lines.join("\n");
}

function printGroup({ name, kind, units, removed, members }: PlannedGroup): string[] {
  const head = `${name}: ${count(units)} → ${count(units - removed.length)} ${kind}, of which each takes`;
  const rows = members.map((member) => [
    member.name,
    `axis ${member.axis}`,
    member.perUnit === 1 ? "" : `${count(member.perUnit)} places`,
  ]);
  return [head, ...inset(rows)];
}

const inset = (rows: readonly (readonly string[])[]): string[] => alignedRows(rows, 3).map((row) => `  ${row}`);
