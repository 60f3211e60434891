// lib/native/formats.ts: every number format of quantized weights, from native/formats/formats.def.
import { existsSync } from "node:fs";
import { definitions, typescript } from "./typescript.mjs";

const source = "native/formats/formats.def";
const fields = ["name", "bits", "kind", "zero", "scale", "block", "table"];
const row = new RegExp(`^ATHANOR_QUANT_FORMAT\\(${fields.map(() => "(\\w+)").join(", ")}\\)$`);

export const formats = {
  path: "lib/native/formats.ts",
  async render(from = source) {
    if (!existsSync(from)) return undefined;
    const rows = definitions(from).map((line) => {
      const [, name, bits, kind, zero, scale, block, table] = row.exec(line) ?? [];
      if (!name) {
        const form = `ATHANOR_QUANT_FORMAT(${fields.join(", ")})`;
        throw new Error(`${source}: cannot read "${line}", expected ${form}; no field can be left out`);
      }
      return { name, bits: Number(bits), kind, zero: zero !== "none", scale, block: Number(block), table };
    });
    const union = (key) => [...new Set(rows.map((each) => each[key]))].map((value) => `"${value}"`).join(" | ");
    return typescript(
      source,
      [
        "/** How a quantized weight is stored. */",
        "export interface NumberFormat {",
        "  /** Of a stored code. */",
        "  readonly bits: number;",
        `  readonly kind: ${union("kind")};`,
        "  /** Whether there is a zero point, u8. */",
        "  readonly zero: boolean;",
        "  /** The scale's type: f32 or bf16, or a byte that is an exponent. */",
        `  readonly scale: ${union("scale")};`,
        "  /** Inputs that share a scale; 0: as many as the weight says. */",
        "  readonly block: number;",
        "  /** Whose the table is: an operand's, or the format's. */",
        `  readonly table: ${union("table")};`,
        "}",
        "",
        "/** Every number format of quantized weights. */",
        "export const formats = {",
        ...rows.map(({ name, ...rest }) => `${name}: ${JSON.stringify(rest)},`),
        "} as const satisfies Record<string, NumberFormat>;",
        "",
        "/** The name of a number format. */",
        "export type FormatName = keyof typeof formats;",
        "",
      ].join("\n"),
    );
  },
};
