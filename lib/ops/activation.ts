// Activations that are no instruction of their own. The branch that is not taken is kept finite: its gradient is multiplied
// by 0, and 0 · ∞ would be NaN.
import type { Tensor } from "../tensor/tensor.js";
import { requireTensor } from "./require.js";

/**
 * x where it is above 0, else alpha (eˣ − 1) (Clevert et al. 2015).
 *
 * @example
 * const f = compile((x: Tensor) => ops.elu(x));
 * (await f.run(array([3, -Infinity]))).toArray(); // [3, -1]
 */
export function elu(x: Tensor, alpha = 1): Tensor {
  requireTensor("elu", "x", x);
  const above = x.gt(0);
  const below = above.where(0, x).expm1();
  return above.where(x, alpha === 1 ? below : below.mul(alpha));
}

/**
 * x where it is above 0, else slope · x.
 *
 * @example
 * const f = compile((x: Tensor) => ops.leakyRelu(x, 0.25));
 * (await f.run(array([3, -4]))).toArray(); // [3, -1]
 */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  requireTensor("leakyRelu", "x", x);
  return x.gt(0).where(x, x.mul(slope));
}
