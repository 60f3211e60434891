// What a suite in bench/suites/<name>.ts exports: `export default { name, cases } satisfies Suite`.
import type { Unit, Work } from "./row.js";

/** A prepared case: `step` is what is timed; `dispose` frees what it holds. */
export interface Prepared {
  step: () => unknown;
  dispose?: () => void | Promise<void>;
}

export interface Case {
  name: string;
  unit: Unit;
  /** Floating-point operations and bytes of memory traffic of one step. */
  work: Work;
  /** Samples or tokens of one step, for units that count them. */
  perStep?: number;
  /** The limit of bench/peers/limits.c to hold the result against, such as "fma-f32" or "r4w3". */
  ceiling?: string;
  prepare: () => Prepared | Promise<Prepared>;
}

export interface Suite {
  name: string;
  cases: readonly Case[];
}

/** Loads a suite by the name of its file. */
export async function loadSuite(name: string): Promise<Suite> {
  const { default: suite } = (await import(`./suites/${name}.ts`)) as { default: Suite };
  return suite;
}
