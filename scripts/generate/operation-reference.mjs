// docs/reference/operations.md: every operation with what it computes, what makes it and its attributes, from native/graph/ops.def.
import { existsSync } from "node:fs";
import { operationRows, source } from "./operation-rows.mjs";

function shown({ name, kind, presence, range, ...attr }) {
  const what =
    { flag: "true or false", integer: "whole number", dtype: "element type", list: "whole numbers" }[kind] ?? kind;
  const within = range ? (kind === "text" ? ` (${range.split("|").join(", ")})` : ` in ${range}`) : "";
  const value = { required: "required", derived: "by the rule" }[presence] ?? `default ${JSON.stringify(attr.default)}`;
  return `\`${name}\`: ${what}${within}, ${value}`;
}

const head = `# Operations

Every operation of the engine. What the column *in TypeScript* names makes the node; "engine" are those that the engine makes alone, such as
gradients. Attributes are those of the graph (\`artifact\`'s graph.json, \`Compiled.passes\`); one that is not listed is refused.
`;

export const operationReference = {
  path: "docs/reference/operations.md",
  async render() {
    const rows = operationRows();
    if (!rows || !existsSync("docs")) return undefined;
    const lines = [`<!-- Written by \`npm run generate\` from ${source}. Do not edit. -->`, "", head];
    for (const section of new Set(rows.map((row) => row.section))) {
      lines.push(
        `## native/${section}`,
        "",
        "| operation | result | in TypeScript | operands | attributes |",
        "|---|---|---|---|---|",
      );
      for (const row of rows.filter((each) => each.section === section)) {
        const { name, sentence, api, arity, attrs } = row;
        const cells = [`\`${name}\``, sentence.replaceAll("|", "\\|"), api === "engine" ? api : `\`${api}\``, arity];
        lines.push(`| ${cells.join(" | ")} | ${attrs.map(shown).join("; ").replaceAll("|", "\\|")} |`);
      }
      lines.push("");
    }
    return lines.join("\n");
  },
};
