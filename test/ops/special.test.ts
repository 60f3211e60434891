// Special points beside PyTorch in float64, on every instruction set, with and without passes. What differs on purpose is in
// docs/guide/special-points.md.
import { describe, expect, it } from "vitest";
import { array, type Tensor } from "../../lib/tensor/index.js";
import type { Trace } from "../../lib/tensor/trace.js";
import { within } from "../../lib/tensor/trace.js";
import type { OpName } from "../../lib/native/operations.js";
import { readGolden, type SpecialCase } from "../golden/read.js";
import { expectClose } from "./compare.js";
import { withoutKernel } from "../device/without-kernel.js";
import { evaluate, settings, show, testedDevice } from "./engine.js";
import { distillation, losses, methods } from "./special/composed.js";
import { operations } from "./special/operations.js";
import type { Golden, Special } from "./special/special.js";
import { pack, value, type Value } from "./value.js";

const golden = readGolden("special");
const table: Readonly<Record<string, Special>> = { ...operations, ...losses, ...distillation, ...methods };
const casesOf = (name: string) => golden.record.cases.filter(({ of }) => of === name);

const read = (key: string, dtype: Value["dtype"]): Value => {
  const { data, shape } = golden.tensor(key);
  return value(dtype, shape, data);
};

/** The value and every gradient, of inputs in one element type. */
function check(test: SpecialCase, { run, tolerance, ours }: Golden, dtype: "f32" | "f64"): void {
  const inputs = test.inputs.map((key, i) => {
    const kind = test.types[i]!;
    return read(key, kind === "float" ? dtype : kind);
  });
  const wrt = Object.keys(test.gradients).map(Number);
  const dyAt = (i: number): number => [1, -2, 0.5, 3][i % 4]!;
  const own = (wanted: Value, what: "value" | "gradient"): Value => ({
    ...wanted,
    data: wanted.data.map((w, i) => ours?.(inputs[0]!.data[i]!, dyAt(i))?.[what] ?? w),
  });
  const f = run ?? (([x, ...more], attrs) => x!.trace.apply(test.of as OpName, [x!, ...more], attrs));
  const build = (trace: Trace, tensors: readonly Tensor[]) =>
    within(trace, () => {
      const y = f(tensors, test.attrs);
      if (wrt.length === 0) return [y];
      const dy = Float64Array.from(golden.tensor(test.output).data, (_, i) => dyAt(i));
      const weights = trace.constant(array(pack(value(dtype, [dy.length], dy)), golden.tensor(test.output).shape));
      const leaves = wrt.map((i) => tensors[i]!);
      return [y, ...trace.gradients(y.cast(dtype).reshape(weights.shape).mul(weights).sum(), leaves)];
    });
  for (const setting of settings) {
    const [y, ...gradients] = evaluate(inputs, build, setting);
    const where = `${test.name} ${dtype} (${show(setting)})`;
    expectClose(`${where}: value`, [y!], [own(read(test.output, y!.dtype), "value")], tolerance);
    gradients.forEach((gradient, k) => {
      const wanted = own(read(test.gradients[String(wrt[k]!)]!, dtype), "gradient");
      expectClose(`${where}: gradient of input ${wrt[k]}`, [gradient], [wanted], tolerance);
    });
  }
}

describe("special points", () => {
  for (const [name, special] of Object.entries(table)) {
    if (special.kind !== "golden" || (testedDevice && withoutKernel.has(name as OpName))) continue;
    for (const test of casesOf(name)) {
      it.each(special.dtypes)(`${test.name} in %s`, (dtype) => check(test, special, dtype as "f32" | "f64"));
    }
  }

  it("are those of every operation, loss and term, and of nothing else", () => {
    for (const [name, special] of Object.entries(table)) {
      if (special.kind === "golden") expect(casesOf(name).length, name).toBeGreaterThan(0);
      if (special.kind === "through")
        expect(
          casesOf(special.of).some(({ gradients }) => "0" in gradients),
          name,
        ).toBe(true);
    }
    for (const { of } of golden.record.cases) expect(table[of]?.kind, of).toBe("golden");
  });
});
