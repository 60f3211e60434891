// Bias correction (Nagel et al. 2019): the mean error of a layer's result over calibration, output by output, taken off its bias.
// A mean of n samples is itself off by the deviation of the error over √n. Taking it off helps on other samples only where it is
// more than that: Σ mean² > 2 Σ variance / n over the layer's outputs, else the bias stays.
import type { Module } from "../nn/index.js";
import { array, type NdArray } from "../tensor/nd-array.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { overUses, type CalibrationSource, type Use } from "./calibrate.js";
import type { PackedParametrization } from "./packed-parametrization.js";
import { exactResult, packedResult } from "./results.js";
import { biasOf, type Target } from "./targets.js";

/** Sums over samples of each output's error, and of its square. */
interface Sums {
  readonly sum: Float64Array;
  readonly square: Float64Array;
  samples: number;
}

/** Corrects the biases beside the targets' weights, which still have their numbers; says for which targets it did. */
export async function correctBiases(
  source: CalibrationSource,
  model: Module,
  packed: ReadonlyMap<Target, PackedParametrization>,
): Promise<ReadonlySet<Target>> {
  const targets = [...packed.keys()].filter(({ parameter }) => biasOf(model, parameter) !== undefined);
  const found = new Map<Target, Sums>();
  const measure = (uses: ReadonlyMap<Parameter, readonly Use[]>) =>
    Object.fromEntries(
      targets.flatMap((target, i) => {
        const met = uses.get(target.parameter)!.filter(({ rowsFirst }) => rowsFirst);
        if (met.length === 0) return [];
        const errors = met.map((use) => errorOf(use, target.parameter, packed.get(target)!));
        return [[String(i), Object.fromEntries(errors.map((error, j) => [String(j), error]))] as const];
      }),
    );
  await overUses(
    source,
    targets.map(({ parameter }) => parameter),
    measure,
    (values) => {
      for (const [i, errors] of Object.entries(values)) {
        for (const error of Object.values(errors)) add(found, targets[Number(i)]!, error);
      }
    },
  );
  const corrected = new Set<Target>();
  for (const [target, sums] of found) {
    if (!isKnown(sums)) continue;
    const bias = biasOf(model, target.parameter)!;
    const values = await bias.read();
    bias.write(array(Float32Array.from(values.data, (value, o) => value - sums.sum[o]! / sums.samples)));
    corrected.add(target);
  }
  return corrected;
}

// Quantized minus float result, the mean over all but samples and outputs, [samples, O].
function errorOf(use: Use, parameter: Parameter, parametrization: PackedParametrization): Tensor {
  const error = packedResult(use, parametrization).sub(exactResult(use, parameter));
  if (use.geometry) return error.mean([2, 3]);
  return error.rank === 2 ? error : error.reshape([error.shape[0]!, -1, error.shape.at(-1)!]).mean(1);
}

function add(found: Map<Target, Sums>, target: Target, { data, shape }: NdArray): void {
  const outputs = shape[1]!;
  const sums = found.get(target) ?? { sum: new Float64Array(outputs), square: new Float64Array(outputs), samples: 0 };
  found.set(target, sums);
  for (let n = 0; n < shape[0]!; ++n) {
    for (let o = 0; o < outputs; ++o) {
      const value = data[n * outputs + o]!;
      sums.sum[o]! += value;
      sums.square[o]! += value * value;
    }
  }
  sums.samples += shape[0]!;
}

// Whether the means are more than what chance gives.
function isKnown({ sum, square, samples }: Sums): boolean {
  if (samples < 2) return false;
  let [means, noise] = [0, 0];
  sum.forEach((total, o) => {
    const mean = total / samples;
    const variance = Math.max(0, square[o]! - samples * mean * mean) / (samples - 1);
    means += mean * mean;
    noise += variance / samples;
  });
  return means > 2 * noise;
}
