// Parity of operations with their float64 references: on every instruction set, with and without passes, on several threads,
// on operands that are views. Every run is guarded by sentinels; see engine.ts.
import { describe, it } from "vitest";
import type { OpName } from "../../lib/native/operations.js";
import { expectClose, type Terms } from "./compare.js";
import { withoutKernel } from "../device/without-kernel.js";
import {
  applying,
  evaluate,
  exhaustive,
  expectSameBits,
  settings,
  show,
  testedDevice,
  type Setting,
} from "./engine.js";
import type { OpSpec, Sample, Spec } from "./spec.js";
import { countOf, type Value } from "./value.js";
import { views } from "./views.js";

/** Σ|a||b|: as the spec says, or the reference of the operands' absolute values. Made when asked for. */
export function termsOf(spec: OpSpec, { inputs, attrs }: Sample): Terms {
  let terms: readonly Value[] | undefined;
  return (result) => {
    terms ??=
      spec.terms?.(inputs, attrs ?? {}) ??
      spec.reference(
        inputs.map((x) => ({ ...x, data: x.data.map(Math.abs) })),
        attrs ?? {},
      );
    return terms[result]?.data;
  };
}

const largest = ({ inputs }: Sample): number => Math.max(0, ...inputs.map(({ shape }) => countOf(shape)));

function checkSettings(op: OpName, spec: OpSpec, sample: Sample, want: readonly Value[]): void {
  const build = applying(op, sample.attrs, want.length);
  const terms = termsOf(spec, sample);
  let single: Value[] | undefined;
  const run = (setting: Setting): Value[] => {
    const where = `${op} ${sample.name} (${show(setting)})`;
    const got = evaluate(sample.inputs, build, setting);
    expectClose(where, got, want, spec.tolerance, terms);
    return got;
  };
  for (const setting of settings) {
    const got = run(setting);
    if (setting.threads === 1 && setting.optimize) single = got;
    if (setting.threads > 1) expectSameBits(`${op} ${sample.name} (${setting.isa}), 1 and 2 threads`, single!, got);
    if (setting.threads > 1 && largest(sample) > 20_000) {
      const seven = evaluate(sample.inputs, build, { ...setting, threads: 7 });
      expectSameBits(`${op} ${sample.name} (${setting.isa}), 1 and 7 threads`, single!, seven);
    }
  }
}

function checkViews(op: OpName, spec: OpSpec, sample: Sample, want: readonly Value[]): void {
  const { inputs, attrs } = sample;
  for (const view of views) {
    const fed = inputs.map(view.fed);
    for (const setting of exhaustive ? settings : settings.slice(0, 1)) {
      const got = evaluate(
        fed,
        (trace, tensors) =>
          trace.applyMany(
            op,
            tensors.map((x, i) => view.read(x, inputs[i]!)),
            want.length,
            attrs,
          ),
        setting,
      );
      expectClose(
        `${op} ${sample.name}, ${view.name} (${show(setting)})`,
        got,
        want,
        spec.tolerance,
        termsOf(spec, sample),
      );
    }
  }
}

/** A sample beside its reference in some settings. */
export function checkSample(op: OpName, spec: OpSpec, sample: Sample, on: readonly Setting[]): void {
  const want = spec.reference(sample.inputs, sample.attrs ?? {});
  for (const setting of on) {
    const got = evaluate(sample.inputs, applying(op, sample.attrs, want.length), setting);
    expectClose(`${op} ${sample.name} (${show(setting)})`, got, want, spec.tolerance, termsOf(spec, sample));
  }
}

/** The tests of some operations. */
export function testParity(specs: Readonly<Record<string, Spec>>): void {
  for (const [name, spec] of Object.entries(specs)) {
    const op = name as OpName;
    if (spec.kind === "elsewhere" || (testedDevice && withoutKernel.has(op))) continue;
    describe(op, () => {
      it("matches the float64 reference on every instruction set and number of threads", () => {
        for (const sample of spec.samples())
          checkSettings(op, spec, sample, spec.reference(sample.inputs, sample.attrs ?? {}));
      });
      it("matches it on operands that are views", () => {
        for (const sample of spec.samples()) {
          if (largest(sample) > 2000) continue;
          checkViews(op, spec, sample, spec.reference(sample.inputs, sample.attrs ?? {}));
        }
      });
    });
  }
}
