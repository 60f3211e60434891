// What a layer gives for the inputs that calibration shows: with its float weight, and with a packed one.
import type { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { overUses, type CalibrationSource, type Use } from "./calibrate.js";
import type { PackedParametrization } from "./packed-parametrization.js";
import type { Target } from "./targets.js";

/** The float layer's result for one use, without its bias. */
export function exactResult({ x, geometry }: Use, parameter: Parameter): Tensor {
  const w = x.trace.parameter(parameter);
  return geometry
    ? x.trace.apply("conv2d", [x, w], { ...geometry })
    : x.trace.apply("matmul", [x, w], { trans_a: false, trans_b: true });
}

/** The same with a packed weight. */
export function packedResult({ x, geometry }: Use, parametrization: PackedParametrization): Tensor {
  return geometry ? parametrization.conv2d(x, undefined, geometry)! : parametrization.matmul(x, undefined, true)!;
}

/** Squared errors of a layer's result over calibration. */
export interface ResultErrors {
  /** Σ (y − y exact)² of each parametrization, in their order. */
  readonly errors: readonly number[];
  /** Σ y² of the exact result. */
  readonly size: number;
}

/** The errors that packed parametrizations of each target make; targets that no product met are left out. */
export async function resultErrors(
  source: CalibrationSource,
  parametrizations: ReadonlyMap<Target, readonly PackedParametrization[]>,
): Promise<Map<Target, ResultErrors>> {
  const targets = [...parametrizations.keys()];
  const sums = new Map<Target, number[]>();
  const measure = (uses: ReadonlyMap<Parameter, readonly Use[]>) =>
    Object.fromEntries(
      targets.flatMap((target, i) => {
        const met = uses.get(target.parameter)!.filter(({ rowsFirst }) => rowsFirst);
        if (met.length === 0) return [];
        const parts = met.map((use) => {
          const exact = exactResult(use, target.parameter);
          const each = parametrizations
            .get(target)!
            .map((parametrization) => packedResult(use, parametrization).sub(exact).square().sum());
          return [exact.square().sum(), ...each];
        });
        const total = parts.reduce((a, b) => a.map((sum, j) => sum.add(b[j]!)));
        return [[String(i), Object.fromEntries(total.map((sum, j) => [String(j), sum]))] as const];
      }),
    );
  await overUses(
    source,
    targets.map(({ parameter }) => parameter),
    measure,
    (values) => {
      for (const [i, results] of Object.entries(values)) {
        const target = targets[Number(i)]!;
        const sofar = sums.get(target) ?? [];
        for (const [j, result] of Object.entries(results)) sofar[Number(j)] = (sofar[Number(j)] ?? 0) + result.item();
        sums.set(target, sofar);
      }
    },
  );
  return new Map([...sums].map(([target, [size, ...errors]]) => [target, { errors, size: size! }]));
}
