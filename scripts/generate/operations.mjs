// lib/native/operations.ts: every operation with its row, and the types of its operands and attributes, from native/graph/ops.def.
import { operationRows, source } from "./operation-rows.mjs";
import { typescript } from "./typescript.mjs";

const names = (values) => [...new Set(values)].sort();
const union = (values) => values.map((value) => `"${value}"`).join(" | ");

function typeOf({ kind, range }) {
  if (kind === "flag") return "boolean";
  if (kind === "list") return "readonly number[]";
  if (kind === "dtype") return "NativeDType";
  if (kind === "text") return range ? union(range.split("|")) : "string";
  return "number";
}

const field = (attr) =>
  `readonly ${attr.name}${attr.presence === "required" ? "" : "?"}: ${typeOf(attr)}${attr.presence === "required" ? "" : " | undefined"};`;

export const operations = {
  path: "lib/native/operations.ts",
  async render() {
    const rows = operationRows();
    if (!rows) return undefined;
    return typescript(
      source,
      [
        "// Long because every operation has a row and the types of its attributes here.",
        'import type { NativeDType } from "./index.js";',
        "",
        "/** What the graph compiler may assume of an operation. */",
        `export type Trait = ${union(names(rows.flatMap((row) => row.traits)))};`,
        "",
        "/** How structured pruning goes through an operation (native/graph/op.h). */",
        `export type PruningRule = ${union(names(rows.map((row) => row.pruning)))};`,
        "",
        "/** How the floating-point operations of an operation are counted, where not for each element of its result. */",
        `export type FlopRule = ${union(names(rows.map((row) => row.flops).filter((flops) => typeof flops === "string")))};`,
        "",
        "/** Every operation of the engine: how many tensors it takes, its traits, and what makes it in TypeScript. */",
        "export const operations = {",
        ...rows.map(
          ({ name, arity, traits, pruning, flops, api }) =>
            `${name}: ${JSON.stringify({ arity, traits, pruning, flops, api })},`,
        ),
        "} as const satisfies Record<",
        "  string,",
        '  { arity: number | "variadic"; traits: readonly Trait[]; pruning: PruningRule; flops: number | FlopRule; api: string }',
        ">;",
        "",
        "/** The name of an operation. */",
        "export type OpName = keyof typeof operations;",
        "",
        "/** The attributes of every operation; the engine checks their ranges. */",
        "export interface OpAttrs {",
        ...rows.map(({ name, attrs }) =>
          attrs.length ? `readonly ${name}: { ${attrs.map(field).join(" ")} };` : `readonly ${name}: NoAttrs;`,
        ),
        "}",
        "",
        "/** Of an operation without attributes. */",
        "export type NoAttrs = Readonly<Record<string, never>>;",
        "",
      ].join("\n"),
    );
  },
};
