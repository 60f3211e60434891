// The cases that peers share, from bench/peers/cases.json: work, unit and ceiling are defined there once for everybody.
import { readFileSync } from "node:fs";
import type { Unit, Work } from "./row.js";
import type { Prepared, Suite } from "./suite.js";

interface Definition {
  readonly unit: Unit;
  readonly work: Work;
  readonly perStep?: number;
  readonly ceiling: string;
  /** Widths of the layers, in the inference suite. */
  readonly dims?: readonly number[];
  readonly batch?: number;
  /** What weights are quantized to; `group` inputs share a scale. */
  readonly scheme?: string;
  readonly group?: number;
  /** The signs of x, which some integer kernels are faster without: networks of images take it positive, layers take both. */
  readonly x?: "positive" | "both";
  /** Rows of x, in the quant suite. */
  readonly M?: number;
}

const all = JSON.parse(readFileSync(new URL("peers/cases.json", import.meta.url), "utf8")) as Record<
  string,
  Record<string, Definition>
>;

/** A suite of all its shared cases. */
export function sharedSuite(
  name: string,
  prepare: (caseName: string, definition: Definition) => Prepared | Promise<Prepared>,
): Suite {
  const cases = Object.entries(all[name] ?? {}).map(([caseName, definition]) => {
    const { unit, work, perStep, ceiling } = definition;
    const shared = { name: caseName, unit, work, ceiling, prepare: () => prepare(caseName, definition) };
    return perStep === undefined ? shared : { ...shared, perStep };
  });
  return { name, cases };
}
