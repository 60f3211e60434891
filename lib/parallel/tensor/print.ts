// A plan of tensor parallelism for a person.
import { textTable } from "../../tensor/text-table.js";
import type { TensorPlan } from "./plan.js";

/** The plan as a table. */
export function printTensorPlan(plan: TensorPlan): string {
  const { group, divided, whole, size } = plan;
  const head = `tensor parallel over ${group.size} ranks (${group.ranks.join(", ")})`;
  const rows = divided.flatMap(({ name, kind, sizes, members }) =>
    members.map(({ name: parameter, axis, role }, i) => [
      i === 0 ? name : "",
      i === 0 ? kind : "",
      i === 0 ? sizes.join(" + ") : "",
      parameter,
      String(axis),
      role,
    ]),
  );
  const lines = [head, textTable(["units of", "kind", "per rank", "parameter", "axis", "role"], rows, 6)];
  if (whole.length > 0) lines.push("whole:", ...whole.map(({ name, reason }) => `  ${name}: ${reason}`));
  const parts = size.parts.map((own) => own.toLocaleString("en")).join(", ");
  lines.push(`parameters: ${size.model.toLocaleString("en")}, on the ranks ${parts}`);
  return lines.join("\n");
}
