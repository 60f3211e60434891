// A weight as the integer kernels see it: a matrix of output channels by inputs, its rows cut into groups that share a scale.
import { stack } from "../ops/join.js";
import type { Shape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Granularity } from "./scheme.js";

/** Extents of a weight [N, …] as a matrix [N, K] in groups. */
export interface Layout {
  readonly rows: number;
  readonly inner: number;
  /** Inputs that share a scale; all of a row where scales are per channel or tensor. */
  readonly group: number;
  /** Groups of a row; the last one may be shorter. */
  readonly groups: number;
  /** Whether one scale serves the whole weight. */
  readonly whole: boolean;
}

/** The layout of a weight [N, …]: rows are its first dimension. */
export function layoutOf(shape: Shape, per: Granularity): Layout {
  const rows = shape[0] ?? 1;
  const inner = shape.slice(1).reduce((a, b) => a * b, 1);
  const group = typeof per === "number" ? Math.min(per, inner) : inner;
  return { rows, inner, group, groups: Math.ceil(inner / group), whole: per === "tensor" };
}

/** A weight as [N, G, group], a short last group filled up with zeros. */
export function grouped(w: Tensor, { rows, inner, group, groups }: Layout): Tensor {
  const matrix = w.reshape([rows, inner]);
  const rest = groups * group - inner;
  const full =
    rest === 0
      ? matrix
      : matrix.pad([
          [0, 0],
          [0, rest],
        ]);
  return full.reshape([rows, groups, group]);
}

/** The matrix [N, K] of {@link grouped}. */
export function ungrouped(blocks: Tensor, { rows, inner, group, groups }: Layout): Tensor {
  const full = blocks.reshape([rows, groups * group]);
  return groups * group === inner ? full : full.slice(null, [0, inner]);
}

/** Codes i32 or f32 [N, K] packed into bytes u8 [N, ⌈K · bits / 8⌉], the first of a byte in its low bits, two's complement. */
export function packBits(codes: Tensor, bits: 1 | 2 | 4 | 8): Tensor {
  const [rows, inner] = codes.shape as [number, number];
  const unsigned = codes.cast("f32").mod(2 ** bits);
  if (bits === 8) return unsigned.cast("u8");
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

/** What {@link packBits} packed, f32 [N, K]; negative again where `signed`. */
export function unpackBits(bytes: Tensor, bits: 2 | 4 | 8, inner: number, signed: boolean): Tensor {
  const rows = bytes.shape[0]!;
  const numbers = bytes.cast("f32");
  const perByte = 8 / bits;
  const column = numbers.reshape([-1]);
  const places = Array.from({ length: perByte }, (_, i) =>
    column
      .div(2 ** (bits * i))
      .floor()
      .mod(2 ** bits),
  );
  const codes = perByte === 1 ? numbers : stack(places, 1).reshape([rows, -1]).slice(null, [0, inner]);
  return signed
    ? codes.sub(
        codes
          .ge(2 ** (bits - 1))
          .cast("f32")
          .mul(2 ** bits),
      )
    : codes;
}
