// A weight of zeros alone, as a mask that hides all of it leaves behind: nothing is kept of it, and its products are zeros.
import type { Conv2dGeometry, Parametrization } from "./parametrization.js";
import type { Shape } from "./nd-array.js";
import type { Tensor } from "./tensor.js";
import type { Trace } from "./trace.js";

const zeros = (trace: Trace, shape: Shape): Tensor => trace.scalar(0, "f32").broadcastTo(shape);

/** See {@link Parametrization}. */
export class ZeroParametrization implements Parametrization {
  readonly kind = "zeros";
  readonly packed = true;
  readonly parts = {};
  readonly shape: Shape;

  constructor(shape: Shape) {
    this.shape = shape;
  }

  tensor(trace: Trace): Tensor {
    return zeros(trace, this.shape);
  }

  matmul(x: Tensor, _: Tensor | undefined, transB: boolean): Tensor | undefined {
    if (this.shape.length !== 2) return undefined;
    return zeros(x.trace, [...x.shape.slice(0, -1), this.shape[transB ? 0 : 1]!]);
  }

  conv2d(x: Tensor, _: Tensor | undefined, { stride, dilation, padding }: Conv2dGeometry): Tensor {
    const [O, , KH, KW] = this.shape as [number, number, number, number];
    const [top, bottom, left, right] = padding as [number, number, number, number];
    const extent = (size: number, kernel: number, i: 0 | 1) =>
      Math.floor((size - dilation[i] * (kernel - 1) - 1) / stride[i]) + 1;
    const [N, , H, W] = x.shape as [number, number, number, number];
    return zeros(x.trace, [N, O, extent(H + top + bottom, KH, 0), extent(W + left + right, KW, 1)]);
  }

  clone(): ZeroParametrization {
    return new ZeroParametrization(this.shape);
  }

  dispose(): void {
    // Nothing is held.
  }
}
