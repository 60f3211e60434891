// Gradients of traced functions. They are functions of tensors again: compile them, or differentiate once more.
import { ArgumentError } from "../errors.js";
import { Tensor } from "./tensor.js";
import { leavesOf, mapTree } from "./tree.js";

function differentiate<First, Rest extends readonly unknown[]>(
  where: string,
  f: (first: First, ...rest: Rest) => Tensor,
  first: First,
  rest: Rest,
): { value: Tensor; gradient: First } {
  const leaves = leavesOf<Tensor>(first, (path, value) => {
    throw new ArgumentError(
      `${where}: the first argument must be tensors${path && ` (at ${path})`}, got ${typeof value}`,
    );
  });
  const value = f(first, ...rest);
  if (!(value instanceof Tensor)) {
    throw new ArgumentError(`${where}: the function must return one tensor with one element`);
  }
  const gradients = value.trace.gradients(
    value,
    leaves.map(({ leaf }) => leaf),
  );
  const byPath = new Map(leaves.map(({ path }, i) => [path, gradients[i]]));
  return { value, gradient: mapTree(first, (_, path) => byPath.get(path)) as First };
}

/**
 * The gradient of a function that returns one number, with respect to its first argument (a tensor, or lists and records of
 * tensors).
 *
 * @throws ShapeError when traced, if the function's result has more than one element.
 * @example
 * const df = compile(grad((x: Tensor) => x.square().sum()));
 * (await df.run(array([1, 2, 3]))).toArray(); // [2, 4, 6]
 */
export function grad<First, Rest extends readonly unknown[]>(
  f: (first: First, ...rest: Rest) => Tensor,
): (first: First, ...rest: Rest) => First {
  return (first, ...rest) => differentiate("grad", f, first, rest).gradient;
}

/**
 * The value of a function that returns one number, and its gradient with respect to its first argument.
 *
 * @example
 * const step = compile(valueAndGrad((x: Tensor) => x.square().sum()));
 * const { value, gradient } = await step.run(array([1, 2, 3]));
 * value.item(); // 14
 */
export function valueAndGrad<First, Rest extends readonly unknown[]>(
  f: (first: First, ...rest: Rest) => Tensor,
): (first: First, ...rest: Rest) => { value: Tensor; gradient: First } {
  return (first, ...rest) => differentiate("valueAndGrad", f, first, rest);
}
