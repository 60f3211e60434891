// The shapes that zeros may have, and how scores become masks in each of them. A weight [O, …] counts as a matrix [O, K] with K the
// product of the other extents, as the kernels read it: K is a linear layer's inputs, or C · KH · KW of a convolution.
import { ArgumentError } from "../errors.js";
import { got } from "../names/got.js";
import { showShape, type Shape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * Single weights (the default); at most N of every M in a row along the inputs stay ("2:4"); or blocks of rows by inputs, such
 * as `{ block: [1, 16] }`.
 */
export type Structure =
  "unstructured" | `${number}:${number}` | { readonly block: readonly [rows: number, inputs: number] };

/** A structure that has been checked. */
export type Pattern =
  | { readonly kind: "single" }
  | { readonly kind: "nm"; readonly n: number; readonly m: number }
  | { readonly kind: "block"; readonly rows: number; readonly inputs: number };

/** @throws ArgumentError for what is no structure. */
export function patternOf(where: string, structure: unknown): Pattern {
  if (structure === undefined || structure === "unstructured") return { kind: "single" };
  if (typeof structure === "string") {
    const [, n, m] = /^(\d+):(\d+)$/.exec(structure) ?? [];
    const [kept, of] = [Number(n), Number(m)];
    if (n !== undefined && kept >= 1 && kept < of) return { kind: "nm", n: kept, m: of };
  } else if (typeof structure === "object" && structure !== null && "block" in structure) {
    const { block } = structure;
    const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;
    if (Array.isArray(block) && block.length === 2 && whole(block[0]) && whole(block[1])) {
      return { kind: "block", rows: block[0], inputs: block[1] };
    }
  }
  throw new ArgumentError(
    `${where}: structure must be "unstructured", "N:M" with N below M such as "2:4", or { block: [rows, inputs] } such as { block: [1, 16] }, got ${got(structure)}; whole channels, neurons or heads go by prune(model, { structured: "channels", amount: 0.5 })`,
  );
}

/** [O, K] of a weight. */
export function matrixOf(shape: Shape): readonly [rows: number, inputs: number] {
  return [shape[0]!, shape.slice(1).reduce((product, extent) => product * extent, 1)];
}

/** Rows of units of a weight of `shape`. */
export function rowsOf(pattern: Pattern, shape: Shape): number {
  return matrixOf(shape)[0] / (pattern.kind === "block" ? pattern.rows : 1);
}

/** @throws ArgumentError for a weight that the pattern does not divide, with what to do about it. */
export function requireFit(where: string, pattern: Pattern, name: string, shape: Shape): void {
  const [rows, inputs] = matrixOf(shape);
  const way = `choose another structure or leave it out with keep: ["${name}"]`;
  if (pattern.kind === "nm" && inputs % pattern.m !== 0) {
    throw new ArgumentError(
      `${where}: ${pattern.n}:${pattern.m} takes inputs in groups of ${pattern.m}, "${name}" ${showShape(shape)} has ${inputs} of them; ${way}`,
    );
  }
  if (pattern.kind === "block" && (rows % pattern.rows !== 0 || inputs % pattern.inputs !== 0)) {
    throw new ArgumentError(
      `${where}: blocks of ${pattern.rows} × ${pattern.inputs} do not divide "${name}" ${showShape(shape)}, ${rows} × ${inputs} as a matrix; ${way}`,
    );
  }
}

/** Scores of the units that stay or go as one, [units along O, units along K]. `alive` is false where a weight is pruned already. */
export function unitScores(pattern: Pattern, scores: Tensor, alive: Tensor): Tensor {
  const [rows, inputs] = matrixOf(scores.shape);
  if (pattern.kind !== "block") return alive.where(scores, -Infinity).reshape([rows, inputs]);
  const tiled = [rows / pattern.rows, pattern.rows, inputs / pattern.inputs, pattern.inputs];
  const sums = alive.where(scores, 0).reshape(tiled).sum([1, 3]);
  const some = alive.cast("f32").reshape(tiled).max([1, 3]).gt(0);
  return some.where(sums, -Infinity);
}

/** A mask of units, u8 of any shape with as many elements, as a mask of weights of `shape`. */
export function spread(pattern: Pattern, units: Tensor, shape: Shape): Tensor {
  if (pattern.kind !== "block") return units.reshape(shape);
  const [rows, inputs] = matrixOf(shape);
  const [r, c] = [rows / pattern.rows, inputs / pattern.inputs];
  return units.reshape([r, 1, c, 1]).broadcastTo([r, pattern.rows, c, pattern.inputs]).reshape(shape);
}

/** Number of units of a weight of `shape`. */
export function unitsOf(pattern: Pattern, shape: Shape): number {
  const [rows, inputs] = matrixOf(shape);
  return pattern.kind === "block" ? (rows / pattern.rows) * (inputs / pattern.inputs) : rows * inputs;
}
