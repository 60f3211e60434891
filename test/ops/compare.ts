// Whether what the engine gave is what the reference wants.
import { expect } from "vitest";
import { toleranceOf, type ToleranceClass } from "../tolerances.js";
import type { Value } from "./value.js";

/** The scale of the class "terms": the reference of the operands' absolute values. */
export type Terms = (result: number) => Float64Array | undefined;

const largestOf = (data: Float64Array): number =>
  data.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);

/** Fails with the worst element, its place, and both values. */
export function expectClose(
  where: string,
  got: readonly Value[],
  want: readonly Value[],
  kind: ToleranceClass,
  terms: Terms = () => undefined,
  factor = 1,
): void {
  want.forEach((wanted, i) => {
    const given = got[i]!;
    const name = `${where}: result ${i}`;
    expect(`${given.dtype} [${given.shape.join(", ")}]`, name).toBe(`${wanted.dtype} [${wanted.shape.join(", ")}]`);
    const { relative, absolute, scale } = toleranceOf(kind, wanted.dtype);
    const largest = scale === "largest" ? largestOf(wanted.data) : 0;
    const sums = scale === "terms" ? terms(i) : undefined;
    let worst = 0;
    let at = -1;
    for (let k = 0; k < wanted.data.length; ++k) {
      const a = given.data[k]!;
      const b = wanted.data[k]!;
      if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
      if (wanted.dtype === "f32" && a === Math.fround(b)) continue; // overflows as it should
      const unit = Math.max(Math.abs(b), largest, sums?.[k] ?? 0);
      const error = Math.abs(a - b) / ((absolute + relative * unit) * factor);
      if (!(error <= Math.max(1, worst))) {
        worst = error;
        at = k;
        if (!Number.isFinite(error)) break;
      }
    }
    if (at >= 0) {
      const a = given.data[at]!;
      const b = wanted.data[at]!;
      expect.fail(
        `${name}: element ${at} of [${wanted.shape.join(", ")}] is ${a}, wanted ${b} (${worst} times the tolerance)`,
      );
    }
  });
}
