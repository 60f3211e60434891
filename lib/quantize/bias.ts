// Bias correction (Nagel et al. 2019): the mean error of a layer's result over calibration, output by output, taken off its bias.
import type { Module } from "../nn/index.js";
import { array, type NdArray } from "../tensor/nd-array.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { overUses, type CalibrationSource, type Use } from "./calibrate.js";
import type { PackedForm } from "./packed-form.js";
import { biasOf, type Target } from "./targets.js";

/** Corrects the biases beside the targets' weights, which still have their numbers. */
export async function correctBiases(
  source: CalibrationSource,
  model: Module,
  packed: ReadonlyMap<Target, PackedForm>,
): Promise<void> {
  const targets = [...packed.keys()].filter(({ parameter }) => biasOf(model, parameter) !== undefined);
  const errors = new Map<Target, { sum: Float64Array; rows: number }>();
  const measure = (uses: ReadonlyMap<Parameter, readonly Use[]>) =>
    Object.fromEntries(
      targets.flatMap((target, i) => {
        const met = uses.get(target.parameter)!.filter(({ rowsFirst }) => rowsFirst);
        if (met.length === 0) return [];
        const means = met.map((use) => meanError(use, target.parameter, packed.get(target)!));
        return [[String(i), { error: means.reduce((a, b) => a.add(b)).div(means.length) }] as const];
      }),
    );
  await overUses(
    source,
    targets.map(({ parameter }) => parameter),
    measure,
    (values, rows) => {
      // prettier-ignore
      for (const [i, { error }] of Object.entries(values) as [string, { error: NdArray }][]) {
      const target = targets[Number(i)]!;
      const sofar = errors.get(target) ?? { sum: new Float64Array(error.size), rows: 0 };
      error.data.forEach((value, o) => (sofar.sum[o]! += rows * value));
      errors.set(target, { ...sofar, rows: sofar.rows + rows });
    }
    },
  );
  for (const [{ parameter }, { sum, rows }] of errors) {
    const bias = biasOf(model, parameter)!;
    const values = await bias.read();
    bias.write(array(Float32Array.from(values.data, (value, o) => value - sum[o]! / rows)));
  }
}

// Mean of quantized minus float result, [O].
function meanError({ x, geometry }: Use, parameter: Parameter, form: PackedForm): Tensor {
  const w = x.trace.parameter(parameter);
  if (geometry) {
    const y = x.trace.apply("conv2d", [x, w], { ...geometry });
    return form.conv2d(x, undefined, geometry)!.sub(y).mean([0, 2, 3]);
  }
  const y = x.trace.apply("matmul", [x, w], { trans_a: false, trans_b: true });
  return form.matmul(x, undefined, true)!.sub(y).reshape([-1, w.shape[0]!]).mean(0);
}
