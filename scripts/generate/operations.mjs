// lib/native/operations.ts: every operation with its arity and traits, from native/graph/ops.def.
import { existsSync } from "node:fs";
import { definitions, typescript } from "./typescript.mjs";

const source = "native/graph/ops.def";
const row = /^ATHANOR_OP\((\w+), (\w+), ([\w| ]+)\)$/;

export const operations = {
  path: "lib/native/operations.ts",
  async render() {
    if (!existsSync(source)) return undefined;
    const rows = definitions(source).map((line) => {
      const [, name, arity, traits] = row.exec(line) ?? [];
      if (!name) throw new Error(`${source}: cannot read "${line}", expected ATHANOR_OP(name, arity, traits)`);
      const named = traits.split("|").map((trait) => trait.trim().replace(/^k/, "").toLowerCase());
      return {
        name,
        arity: arity === "kVariadic" ? '"variadic"' : arity,
        traits: named.filter((trait) => trait !== "none"),
      };
    });
    const traits = [...new Set(rows.flatMap((item) => item.traits))].sort();
    return typescript(
      source,
      [
        "/** What the graph compiler may assume of an operation. */",
        `export type Trait = ${traits.map((trait) => `"${trait}"`).join(" | ")};`,
        "",
        "/** Every operation of the engine: how many tensors it takes, and its traits. */",
        "export const operations = {",
        ...rows.map(({ name, arity, traits }) => `${name}: { arity: ${arity}, traits: ${JSON.stringify(traits)} },`),
        '} as const satisfies Record<string, { arity: number | "variadic"; traits: readonly Trait[] }>;',
        "",
        "/** The name of an operation. */",
        "export type OpName = keyof typeof operations;",
        "",
      ].join("\n"),
    );
  },
};
