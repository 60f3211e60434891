// What convolutions and pools share: windows over padded images [N, C, H, W].
import type { NativeAttrs } from "../../../lib/native/index.js";

export interface Window {
  readonly stride: readonly [number, number];
  /** top, bottom, left, right */
  readonly padding: readonly [number, number, number, number];
  readonly dilation: readonly [number, number];
  readonly kernel: readonly [number, number];
}

export const windowOf = (attrs: NativeAttrs, kernel: readonly number[], stride: readonly number[]): Window => ({
  kernel: kernel as [number, number],
  stride: (attrs.stride ?? stride) as [number, number],
  padding: (attrs.padding ?? [0, 0, 0, 0]) as [number, number, number, number],
  dilation: (attrs.dilation ?? [1, 1]) as [number, number],
});

export function outputSize({ kernel, stride, padding, dilation }: Window, H: number, W: number): [number, number] {
  const size = (n: number, axis: 0 | 1) =>
    Math.floor(
      (n + padding[2 * axis]! + padding[2 * axis + 1]! - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis],
    ) + 1;
  return [size(H, 0), size(W, 1)];
}

/** Calls f(output position, input position, tap) for every tap; the input position may lie in the padding. */
export function forTaps(
  window: Window,
  [OH, OW]: readonly [number, number],
  f: (oh: number, ow: number, h: number, w: number, tap: number) => void,
): void {
  const { kernel, stride, padding, dilation } = window;
  for (let oh = 0; oh < OH; ++oh) {
    for (let ow = 0; ow < OW; ++ow) {
      for (let kh = 0; kh < kernel[0]; ++kh) {
        for (let kw = 0; kw < kernel[1]; ++kw) {
          const h = oh * stride[0] - padding[0] + kh * dilation[0];
          const w = ow * stride[1] - padding[2] + kw * dilation[1];
          f(oh, ow, h, w, kh * kernel[1] + kw);
        }
      }
    }
  }
}

export const inside = (h: number, w: number, H: number, W: number): boolean => h >= 0 && h < H && w >= 0 && w < W;
