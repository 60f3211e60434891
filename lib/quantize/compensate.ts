// GPTQ's rounding of the targets of a model: second moments of the inputs by calibration, then codes by the engine's `gptq`.
import { concat } from "../ops/join.js";
import { array, type NdArray } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import type { CalibrationSource } from "./calibrate.js";
import type { Steps } from "./grid.js";
import { secondMoments } from "./moments.js";
import type { Rounding } from "./pack.js";
import type { Target } from "./targets.js";

/** Roundings by target; weights that no product met are rounded to nearest. */
export interface Roundings {
  for(target: Target): Rounding | undefined;
  dispose(): void;
}

/** @throws AbortedError */
export async function compensated(
  source: CalibrationSource,
  targets: readonly Target[],
  smooth: Map<Target, NdArray>,
  options: { readonly damp: number; readonly actOrder: boolean },
): Promise<Roundings> {
  const moments = await secondMoments(source, targets, smooth);
  return {
    for(target) {
      const known = moments.get(target);
      if (!known) return undefined;
      const { state, rows: samples } = known;
      const mask = target.parameter.readMask();
      return (w, steps) => {
        const [groups, K] = state.shape as [number, number, number];
        const all = w.trace.parameter(state);
        const { rows } = target.layout;
        const maskOf = mask && w.trace.constant(array(mask, [rows, K]));
        const each = Array.from({ length: groups }, (_, g) => {
          const of = (t: Tensor) => (groups === 1 ? t : t.slice([(g * rows) / groups, ((g + 1) * rows) / groups]));
          const h = all.slice([g, g + 1]).reshape([K, K]);
          return codesBy(of(w.reshape([rows, K])), h, target, cut(steps, of), maskOf && of(maskOf), {
            ...options,
            samples,
          });
        });
        return groups === 1 ? each[0]! : concat(each, 0);
      };
    },
    dispose() {
      for (const { state } of moments.values()) state.dispose();
    },
  };
}

const cut = ({ scale, zero, table }: Steps, of: (t: Tensor) => Tensor): Steps => ({
  scale: of(scale),
  zero: zero && of(zero),
  table,
});

function codesBy(
  w: Tensor,
  moments: Tensor,
  { scheme: { grid }, layout }: Target,
  { scale, zero, table }: Steps,
  mask: Tensor | undefined,
  { damp, actOrder, samples }: { readonly damp: number; readonly actOrder: boolean; readonly samples: number },
): Tensor {
  const flat = (t: Tensor) => t.reshape([t.shape[0]!, layout.groups]);
  const scales = flat(scale);
  const operands = [
    w,
    moments,
    scales,
    zero ? flat(zero) : scales.mul(0),
    ...(table ? [table] : []),
    ...(mask ? [mask] : []),
  ];
  return w.trace.apply("gptq", operands, {
    group: layout.group,
    damp,
    samples,
    act_order: actOrder,
    has_table: table !== undefined,
    has_mask: mask !== undefined,
    ...(grid.kind === "uniform" && { low: grid.low, high: grid.high }),
  });
}
