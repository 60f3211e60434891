// Several tensors made one, and choices between two.
import { ArgumentError, ShapeError } from "../errors.js";
import { showShape } from "../tensor/nd-array.js";
import type { Operand, Tensor } from "../tensor/tensor.js";
import { requireTensor } from "./require.js";

/**
 * Tensors one after the other along an axis; the other extents must agree.
 *
 * @param axis counted from the end if negative. Default 0.
 * @throws ShapeError, DTypeError, ArgumentError
 * @example
 * const f = compile((a: Tensor, b: Tensor) => ops.concat([a, b]));
 * (await f.run(array([1, 2]), array([3]))).toArray(); // [1, 2, 3]
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  return listOf("concat", tensors)[0]!.trace.apply("concat", tensors, { axis });
}

/**
 * Tensors of one shape as the slices of a new axis.
 *
 * @param axis where the new axis is put. Default 0.
 * @throws ShapeError, DTypeError, ArgumentError
 * @example
 * const f = compile((a: Tensor, b: Tensor) => ops.stack([a, b], 1));
 * (await f.run(array([1, 2]), array([3, 4]))).toArray(); // [[1, 3], [2, 4]]
 */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const [first] = listOf("stack", tensors);
  const rank = first!.rank + 1;
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ArgumentError(`stack: axis must be from ${-rank} to ${rank - 1}, got ${axis}`);
  }
  const odd = tensors.find(({ shape }) => showShape(shape) !== showShape(first!.shape));
  if (odd) {
    throw new ShapeError(`stack: all must have one shape, got ${showShape(first!.shape)} and ${showShape(odd.shape)}`);
  }
  return concat(
    tensors.map((tensor) => tensor.expandDims(axis)),
    axis < 0 ? axis + rank : axis,
  );
}

/**
 * Where `condition` (bool) is true `a`, else `b`, with broadcasting.
 *
 * @throws ShapeError, DTypeError
 * @example
 * const f = compile((x: Tensor) => ops.where(x.gt(0), x, 0.5));
 * (await f.run(array([-1, 2]))).toArray(); // [0.5, 2]
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  requireTensor("where", "condition", condition);
  return condition.where(a, b);
}

export function listOf(name: string, tensors: readonly Tensor[]): readonly Tensor[] {
  const given: unknown = tensors;
  if (!Array.isArray(given) || given.length === 0) {
    const got = Array.isArray(given) ? "none" : typeof given;
    throw new ArgumentError(`${name}: expected a list of one tensor or more, got ${got}`);
  }
  tensors.forEach((tensor, i) => requireTensor(name, `tensor ${i}`, tensor));
  return tensors;
}
