// Scaling of a layer's input channels, undone in its weights: (x / s) · (s w). SmoothQuant (Xiao et al. 2022) chooses s so that
// outliers of the inputs move into the weights, AWQ (Lin et al. 2023) so that weights of large inputs keep more precision.
// A parametrization keeps 1 / s, f32 [C], for the inputs.
import type { Tensor } from "../tensor/tensor.js";

/** Inputs [N, C, H, W] of a convolution, or […, C], times a vector [C]. */
export function scaleInputs(x: Tensor, vector: Tensor, convolution: boolean): Tensor {
  return x.mul(convolution ? vector.reshape([-1, 1, 1]) : vector);
}

/** A weight [O, C / groups, KH, KW] or [N, C] with the columns of every input channel times a vector [C]. */
export function scaleColumns(w: Tensor, vector: Tensor): Tensor {
  const [O, perGroup, ...kernel] = w.shape as [number, number, ...number[]];
  const groups = vector.shape[0]! / perGroup;
  const tail = kernel.map(() => 1);
  if (groups === 1) return w.mul(vector.reshape([1, perGroup, ...tail]));
  const split = w.reshape([groups, O / groups, perGroup, ...kernel]);
  return split.mul(vector.reshape([groups, 1, perGroup, ...tail])).reshape(w.shape);
}

/** The largest magnitude of a weight for every input channel, [C]. */
export function columnPeaks(w: Tensor, channels: number): Tensor {
  const [O, perGroup, ...kernel] = w.shape as [number, number, ...number[]];
  const groups = channels / perGroup;
  const split = w.abs().reshape([groups, O / groups, perGroup, -1]);
  return kernel.length === 0 && groups === 1 ? w.abs().max(0) : split.max([1, 3]).reshape([channels]);
}
