// Numbers of few bits packed into bytes, and masks of one: how quantized and sparse weights are held in memory and in files.
import { array } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { stack } from "./join.js";

/**
 * Codes i32 or f32 [N, K] packed into bytes u8 [N, ⌈K · bits / 8⌉], low bits first, over the ends of bytes, in two's complement: as
 * native/formats/format.h reads them.
 */
export function packBits(codes: Tensor, bits: number): Tensor {
  const [rows, inner] = codes.shape as [number, number];
  const unsigned = codes.cast("f32").mod(2 ** bits);
  if (bits === 8) return unsigned.cast("u8");
  if (8 % bits !== 0) return packBits(bitsOf(unsigned, bits).reshape([rows, inner * bits]), 1);
  const perByte = 8 / bits;
  const bytes = Math.ceil(inner / perByte);
  const rest = bytes * perByte - inner;
  const full =
    rest === 0
      ? unsigned
      : unsigned.pad([
          [0, 0],
          [0, rest],
        ]);
  const split = full.reshape([rows * bytes, perByte]);
  // Whole numbers below 256: exact in f32.
  const places = Array.from({ length: perByte }, (_, i) => split.slice(null, [i, i + 1]).mul(2 ** (bits * i)));
  return places
    .reduce((a, b) => a.add(b))
    .reshape([rows, bytes])
    .cast("u8");
}

/** The bits of whole numbers from 0 on, f32 [N, K, bits], low ones first. */
function bitsOf(numbers: Tensor, bits: number): Tensor {
  const places = Array.from({ length: bits }, (_, i) =>
    numbers
      .div(2 ** i)
      .floor()
      .mod(2),
  );
  return stack(places, 2);
}

/** What {@link packMask} packed, f32 [N, 8 · bytes] of 0 and 1. */
export function unpackMask(bitmap: Tensor): Tensor {
  return bitsOf(bitmap.cast("f32"), 8).reshape([bitmap.shape[0]!, -1]);
}

/** A mask of one byte an element [N, K], 0 for the dropped ones, as a bitmap u8 [N, ⌈K / 8⌉], low bits first. */
export function packMask(mask: Tensor): Tensor {
  return packBits(mask.ne(0).cast("f32"), 1);
}

/** The elements of x, in a row, that are kept. */
export function keptElements(x: Tensor, positions: Int32Array): Tensor {
  return x.reshape([-1]).gather(0, array(positions));
}

/** Where a mask keeps an element. Looked for in slices, so that the event loop runs in between. */
export async function keptPositions(mask: Uint8Array): Promise<Int32Array> {
  const slice = 1 << 19;
  const kept = new Int32Array(mask.length);
  let count = 0;
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] !== 0) kept[count++] = i;
    if (i % slice === slice - 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return kept.slice(0, count);
}
