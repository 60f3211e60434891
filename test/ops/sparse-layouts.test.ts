// Sparse weights that are parameters, which the engine lays out ahead: every layout, forced and chosen, with values that are fixed and
// with values that every run brings, on every instruction set and for 1, 2 and 7 threads (the same bits).
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NativeAttrs } from "../../lib/native/index.js";
import type { OpName } from "../../lib/native/operations.js";
import { NdArray } from "../../lib/tensor/nd-array.js";
import { Parameter } from "../../lib/tensor/parameter.js";
import { expectClose, type Terms } from "./compare.js";
import { evaluate, expectSameBits, settings, show } from "./engine.js";
import { termsOf } from "./parity.js";
import type { OpSpec, Sample } from "./spec.js";
import { sparseConvolutions } from "./specs/sparse-conv.js";
import { sparseProducts } from "./specs/sparse.js";
import { pack, type Value } from "./value.js";

const layouts = ["auto", "dense", "1x1", "1x4", "4x1", "4x4", "slots"];
const convLayouts = ["auto", "dense", "1x1", "4x1"];
const parameters: Parameter[] = [];

afterAll(() => parameters.forEach((parameter) => parameter.dispose()));

function parameterOf(value: Value): Parameter {
  const parameter = new Parameter(value.shape, { dtype: value.dtype, trainable: false });
  parameter.write(new NdArray(pack(value), value.shape, value.dtype));
  parameters.push(parameter);
  return parameter;
}

/** A sample with what its reference gives, and the scale of its rounding. */
interface Known {
  readonly sample: Sample;
  readonly want: readonly Value[];
  readonly terms: Terms;
}

const known = (spec: OpSpec): Known[] =>
  spec.samples().map((sample) => {
    const want = spec.reference(sample.inputs, sample.attrs ?? {});
    return { sample, want, terms: termsOf(spec, sample) };
  });

/** Operand 1 is a bitmap, operand 2 values. */
function check(op: OpName, spec: OpSpec, { sample, want, terms }: Known, layout: string, fixedValues: boolean): void {
  const [x, bitmap, values] = sample.inputs as [Value, Value, Value];
  const [bits, weights] = [parameterOf(bitmap), parameterOf(values)];
  const attrs: NativeAttrs = { ...sample.attrs, layout };
  for (const setting of settings) {
    let single: Value[] | undefined;
    for (const threads of setting.threads === 1 ? [1, 2, 7] : []) {
      const where = `${op} ${sample.name}, ${layout} (${show({ ...setting, threads })})`;
      const got = evaluate(
        fixedValues ? [x] : [x, values],
        (trace, [a, v]) => [trace.apply(op, [a!, trace.parameter(bits), v ?? trace.parameter(weights)], attrs)],
        { ...setting, threads },
      );
      expectClose(where, got, want, spec.tolerance, terms);
      single ??= got;
      expectSameBits(where, single, got);
    }
  }
}

const cases = {
  sparse_matmul: [sparseProducts.sparse_matmul, layouts],
  sparse_matmul_grad_input: [sparseProducts.sparse_matmul_grad_input, layouts],
  sparse_conv2d: [sparseConvolutions.sparse_conv2d, convLayouts],
} as const satisfies Partial<Record<OpName, readonly [OpSpec, readonly string[]]>>;

for (const [name, [spec, names]] of Object.entries(cases)) {
  const op = name as OpName;
  describe(op, () => {
    let samples: readonly Known[];
    beforeAll(() => {
      samples = known(spec);
    });

    for (const layout of names) {
      it(`with layout ${layout} matches the float64 reference`, () => {
        for (const sample of samples) {
          check(op, spec, sample, layout, true);
          check(op, spec, sample, layout, false);
        }
      });
    }

    it("names the layouts that there are", () => {
      expect(() => check(op, spec, samples[0]!, "csr", true)).toThrow(
        `${op}: layout must be one of ${names.join(", ")}, got csr`,
      );
    });
  });
}
