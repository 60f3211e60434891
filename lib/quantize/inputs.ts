// How a layer's inputs become integers, for the scheme's activations: the twin in floats of what the integer kernels do to their
// operand, to the bit in the integers.
import type { Tensor } from "../tensor/tensor.js";
import { limitedTo, straightThrough } from "./grid.js";

/** Scale and zero point of static inputs, f32 [1] each. */
export interface InputSteps {
  readonly scale: Tensor;
  readonly zero: Tensor;
}

/** Inputs rounded row by row (image by image) to -127 … 127 times the row's scale, its largest magnitude / 127. */
export function fakeDynamic(x: Tensor, convolution: boolean): Tensor {
  const scale = x
    .stopGradient()
    .abs()
    .max(convolution ? [1, 2, 3] : -1, { keep: true })
    .div(127); // […, 1]
  const safe = scale.gt(0).where(scale, 1);
  const c = limitedTo(x.div(safe), -127, 127);
  return straightThrough(c.round().stopGradient(), c).mul(safe);
}

/** Inputs rounded to the integers 0 … 255 of a calibrated scale and zero point. */
export function fakeStatic(x: Tensor, { scale, zero }: InputSteps): Tensor {
  const [low, high] = [zero.neg(), zero.neg().add(255)];
  const c = limitedTo(x.div(scale), low, high);
  return straightThrough(c.round().stopGradient(), c).mul(scale);
}
