// The rule of a table as the engine wants it, for rows that hold nothing unusual.
import type { NativeCsvColumn, NativeCsvRule } from "../../../native/index.js";
import { featuresOf, type Column } from "../../../preprocess/index.js";
import type { RowsPlan } from "./row-reader.js";

const nothing = { feature: 0, offset: 0, divisor: 1, indicator: false, names: [], unknown: "refused" } as const;

/** By column of the file. */
export function nativeRule(
  { rule, label, classes, width }: RowsPlan,
  header: readonly string[],
  missingCells: readonly string[],
): NativeCsvRule {
  const features = new Map<string, NativeCsvColumn>();
  let feature = 0;
  for (const column of rule.columns) {
    features.set(column.name, featureColumn(column, feature));
    feature += featuresOf(column).length;
  }
  const columns = header.map((name): NativeCsvColumn => {
    if (name === label) return { ...nothing, kind: classes ? "labelClass" : "labelNumber", names: classes ?? [] };
    return features.get(name) ?? { ...nothing, kind: "ignored" };
  });
  return { columns, missingCells, width, classes: classes !== undefined };
}

function featureColumn(column: Column, feature: number): NativeCsvColumn {
  const { missing } = column;
  if (column.type === "number") {
    const { offset, divisor } = column.scale ?? { offset: 0, divisor: 1 };
    const fill = typeof missing === "object" ? (missing.fill as number) : undefined;
    return { ...nothing, kind: "number", feature, offset, divisor, fill, indicator: column.indicator === true };
  }
  const { categories, unknown } = column;
  const missingName = missing === "category" ? categories.length : typeof missing === "object" ? categories.indexOf(missing.fill as string) : undefined; // prettier-ignore
  const becomes = { error: "refused", ignore: "zeros", missing: "missing" } as const;
  return { ...nothing, kind: "category", feature, names: categories, missingName, unknown: becomes[unknown] };
}
