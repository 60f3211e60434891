// Rows by number, and numbers as rows.
import { requireCount } from "../guidance/arguments.js";
import { wholeNumbers } from "../tensor/composed.js";
import { requireDType, type DType } from "../tensor/dtype.js";
import { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { requireTensor, type Weight } from "./require.js";

/**
 * Rows of a table by number. table f32 [V, C], index […] of whole numbers in any element type → […, C]
 *
 * @throws ShapeError, DTypeError; ArgumentError when run, for a number out of range, naming its position.
 * @example
 * const f = compile((i: Tensor) => ops.embedding(array([1, 2, 3, 4], [2, 2]), i));
 * (await f.run(array(Int32Array.of(1, 0)))).toArray(); // [[3, 4], [1, 2]]
 */
export function embedding(table: Weight, index: Tensor): Tensor {
  requireTensor("embedding", "index", index);
  const numbers = wholeNumbers(index, "embedding: indices");
  const formed = table instanceof Parameter ? table.parametrization?.rows?.(numbers, table.master()) : undefined;
  return formed ?? index.trace.apply("embedding", [index.operand(table), numbers]);
}

/**
 * 1 at the place of each number, 0 elsewhere. index […] of whole numbers in any element type → […, classes]
 *
 * @param dtype of the result. Default f32.
 * @throws DTypeError, ArgumentError; when run, ArgumentError for a number out of range.
 * @example
 * const f = compile((i: Tensor) => ops.oneHot(i, 3));
 * (await f.run(array(Int32Array.of(2, 0)))).toArray(); // [[0, 0, 1], [1, 0, 0]]
 */
export function oneHot(index: Tensor, classes: number, dtype: DType = "f32"): Tensor {
  requireTensor("oneHot", "index", index);
  requireCount("oneHot", "classes", classes);
  requireDType("oneHot", dtype);
  const made = dtype === "bf16" ? "f32" : dtype;
  return index.trace.apply("one_hot", [wholeNumbers(index, "oneHot: indices")], { classes, dtype: made }).cast(dtype);
}
