// Products with sparse weights. The engine lays a weight that does not change out once, dense or sparse, whichever is faster for the
// batch and the pattern; see docs/internals/sparse.md.
import { requireArray } from "../guidance/arguments.js";
import { checkOptions, ShapeError } from "../errors.js";
import { countOf, NdArray, showShape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { pairOf, sidesOf, type Padding, type Pair, type Window } from "./geometry.js";
import { requireTensor, type Weight } from "./require.js";

/** A weight of N rows of K elements, of which most are zero and are not kept. */
export interface SparseWeight {
  /** u8 [N, ⌈K / 8⌉]: bit k % 8 of byte ⌊k / 8⌋ of a row is 1 where element k is kept. */
  readonly bitmap: Weight;
  /** f32 [kept]: the kept elements, row by row. */
  readonly values: Weight;
}

/** {@link SparseWeight} outside of the engine. */
export interface SparseArrays extends SparseWeight {
  readonly bitmap: NdArray;
  readonly values: NdArray;
}

/**
 * The sparse form of a weight [N, …] whose dropped elements are zero. A convolution's kernel [O, C / groups, KH, KW] has O rows.
 *
 * @param mask one byte an element, 0 for the dropped ones; default: the elements that are zero.
 * @throws ShapeError for a scalar, or a mask of another length.
 * @example
 * const { bitmap, values } = ops.toSparse(array([0, 2, 0, 3, 0, 0], [2, 3]));
 * bitmap.toArray(); // [[2], [1]]
 * values.toArray(); // [2, 3]
 */
export function toSparse(weight: NdArray, mask?: Uint8Array): SparseArrays {
  requireArray("toSparse", "the weight", weight);
  const count = countOf(weight.shape);
  if (weight.shape.length === 0) throw new ShapeError("toSparse: takes a weight [N, …], got a scalar");
  if (mask && mask.length !== count) {
    throw new ShapeError(
      `toSparse: the mask has ${mask.length} elements, expected ${count} for ${showShape(weight.shape)}`,
    );
  }
  const [rows] = weight.shape as [number];
  const columns = countOf(weight.shape.slice(1));
  const bytes = Math.ceil(columns / 8);
  const bitmap = new Uint8Array(rows * bytes);
  const values: number[] = [];
  for (let n = 0, i = 0; n < rows; n++) {
    for (let k = 0; k < columns; k++, i++) {
      const value = weight.data[i]!;
      if (mask ? mask[i] === 0 : value === 0) continue;
      bitmap[n * bytes + (k >> 3)]! |= 1 << (k & 7);
      values.push(value);
    }
  }
  return {
    bitmap: new NdArray(bitmap, [rows, bytes], "u8"),
    values: new NdArray(Float32Array.from(values), [values.length], "f32"),
  };
}

/** Options of {@link sparseMatmul}. */
export interface SparseMatmulOptions {
  /**
   * Columns K of the weight: then x […, N] is multiplied by the weight [N, K] as it is. Default: by its transpose, as a linear
   * layer does.
   */
  readonly columns?: number | undefined;
}

/**
 * x […, K] · wᵀ → […, N] for a sparse weight w [N, K]; with `columns`, x […, N] · w → […, K]. Gradients go to x and to the kept
 * values; which ones are kept is fixed.
 *
 * @throws ShapeError for operands that do not fit. A run throws ArgumentError where the bitmap does not keep as many elements as
 * there are values.
 * @example
 * const weight = ops.toSparse(array([0, 2, 0, 3, 0, 0], [2, 3]));
 * const layer = compile((x: Tensor) => ops.sparseMatmul(x, weight));
 * (await layer.run(array([1, 10, 100], [1, 3]))).toArray(); // [[20, 3]]
 */
export function sparseMatmul(x: Tensor, weight: SparseWeight, options: SparseMatmulOptions = {}): Tensor {
  checkOptions("sparseMatmul", options, ["columns"]);
  requireTensor("sparseMatmul", "x", x);
  const operands = [x, x.operand(weight.bitmap), x.operand(weight.values)] as const;
  if (options.columns === undefined) return x.trace.apply("sparse_matmul", operands);
  return x.trace.apply("sparse_matmul_grad_input", operands, { k: options.columns });
}

/** Options of {@link sparseConv2d}. */
export interface SparseConv2dOptions {
  /** Height and width of the weight. */
  readonly kernel: Pair;
  /** Default 1. */
  readonly stride?: Pair | undefined;
  /** Default 0. */
  readonly padding?: Padding | undefined;
  /** Distance between taps. Default 1. */
  readonly dilation?: Pair | undefined;
  /** Default 1. */
  readonly groups?: number | undefined;
}

/**
 * As `conv2d` for images [N, C, H, W] and a sparse weight of O rows of C / groups · KH · KW elements → [N, O, OH, OW].
 *
 * @throws ShapeError for operands that do not fit; ArgumentError for options.
 * @example
 * const edge = ops.toSparse(array([-1, 0, 1], [1, 1, 1, 3]));
 * const edges = compile((x: Tensor) => ops.sparseConv2d(x, edge, { kernel: [1, 3] }));
 * (await edges.run(array([0, 0, 5, 5], [1, 1, 1, 4]))).toArray(); // [[[[5, 5]]]]
 */
export function sparseConv2d(x: Tensor, weight: SparseWeight, options: SparseConv2dOptions): Tensor {
  checkOptions("sparseConv2d", options, ["kernel", "stride", "padding", "dilation", "groups"]);
  requireTensor("sparseConv2d", "x", x);
  const window: Window = {
    kernel: pairOf("sparseConv2d", "kernel", options.kernel),
    stride: pairOf("sparseConv2d", "stride", options.stride ?? 1),
    dilation: pairOf("sparseConv2d", "dilation", options.dilation ?? 1),
  };
  return x.trace.apply("sparse_conv2d", [x, x.operand(weight.bitmap), x.operand(weight.values)], {
    ...window,
    padding: sidesOf("sparseConv2d", options.padding ?? 0, x.shape.slice(2), window),
    groups: options.groups ?? 1,
  });
}
