// A weight as the integer kernels see it: a matrix of output channels by inputs, its rows cut into groups that share a scale.
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
