// A rule in a line of words, for summaries.
import type { Preprocessing } from "./check.js";
import { tableFeatures, type Column } from "./columns.js";

/** Such as `age (missing: median, standard), city (one-hot of 12)`. */
export function describePreprocessing(rule: Preprocessing): string {
  if (rule.kind === "table") {
    const { columns } = rule;
    const shown = columns.slice(0, 8).map(describeColumn);
    const more = columns.length > shown.length ? `, … (${columns.length} columns)` : "";
    return `rows become ${tableFeatures(rule).length} features: ${shown.join(", ")}${more}`;
  }
  const { layout, divide, mean, deviation } = rule;
  const parts = [
    ...(layout === "NHWC" ? ["channels to the front"] : []),
    ...(divide === undefined ? [] : [`/ ${divide}`]),
    ...(mean === undefined ? [] : [`− mean of ${mean.length}`]),
    ...(deviation === undefined ? [] : [`/ deviation of ${deviation.length}`]),
  ];
  return parts.length === 0 ? "as it is" : parts.join(", ");
}

function describeColumn(column: Column): string {
  const { name, missing } = column;
  const filled = missing === "error" ? [] : [`missing: ${typeof missing === "string" ? missing : missing.rule}`];
  const what =
    column.type === "category"
      ? [`one-hot of ${column.categories.length}`]
      : column.scale === undefined
        ? []
        : [column.scale.rule];
  const said = [...filled, ...what];
  return said.length === 0 ? name : `${name} (${said.join(", ")})`;
}
