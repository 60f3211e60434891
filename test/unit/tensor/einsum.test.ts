// Equations that einsum refuses, each with the sentence; its values are compared with PyTorch's in test/golden.
import { describe, expect, it } from "vitest";
import { ArgumentError, DTypeError, ShapeError } from "../../../lib/errors.js";
import { ops, type Tensor } from "../../../lib/index.js";
import { compile, type NdArray, zeros } from "../../../lib/tensor/index.js";

function trace(equation: string, inputs: readonly NdArray[]): void {
  compile((...tensors: Tensor[]) => ops.einsum(equation, ...tensors)).runSync(...inputs);
}

const refused: readonly (readonly [string, readonly (readonly number[])[], new (message: string) => Error, string])[] = [
  ["ij,jk->ik->i", [[2, 3], [3, 4]], ArgumentError, 'einsum: cannot read "ij,jk->ik->i": it has more than one "->"'],
  ["i1", [[2, 3]], ArgumentError, 'einsum: cannot read "i1": "i1" is not letters with at most one ...'],
  ["i....", [[2, 3]], ArgumentError, 'einsum: cannot read "i....": "i...." is not letters with at most one ...'],
  ["...i...", [[2, 3]], ArgumentError, 'einsum: cannot read "...i...": "...i..." is not letters with at most one ...'],
  ["ij,jk", [[2, 3]], ArgumentError, 'einsum: cannot read "ij,jk": it has 2 operands, and 1 were given'],
  ["ij", [[2, 3], [3, 4]], ArgumentError, 'einsum: cannot read "ij": it has 1 operands, and 2 were given'],
  ["ij->ii", [[2, 3]], ArgumentError, 'einsum: cannot read "ij->ii": the result names an axis twice'],
  ["ij->k", [[2, 3]], ArgumentError, `einsum: cannot read "ij->k": the result's "k" is an axis of no operand`],
  ["i,j->ij", [[2, 3], [3]], ShapeError, 'einsum: "i,j->ij" gives operand 0 1 axes, and it has 2'],
  ["...ij,j->i", [[2], [3]], ShapeError, 'einsum: "...ij,j->i" gives operand 0 2 axes or more, and it has 1'],
  ["ij,jk->ik", [[2, 3], [4, 5]], ShapeError, 'einsum: axis "j" has 3 elements in one place and 4 in operand 1, [4, 5]; extents must be equal or 1'],
  ["ii->i", [[2, 3]], ShapeError, 'einsum: axis "i" has 2 elements in one place and 3 in operand 0, [2, 3]; extents must be equal or 1'],
  ["ii->i", [[1, 3]], ShapeError, 'einsum: the diagonal of "i" needs equal extents, got [1, 3]'],
]; // prettier-ignore

describe("einsum", () => {
  for (const [equation, shapes, kind, message] of refused) {
    it(`refuses ${equation} of ${JSON.stringify(shapes)}`, () => {
      const run = () => trace(equation, shapes.map((shape) => zeros(shape))); // prettier-ignore
      expect(run).toThrow(kind);
      expect(run).toThrow(message);
    });
  }

  it("refuses operands of two element types", () => {
    expect(() => trace("i,i->", [zeros([2]), zeros([2], "f64")])).toThrow(DTypeError);
  });

  it("refuses what is not a string, and no operand", () => {
    expect(() => trace(["ij"] as unknown as string, [zeros([2, 3])])).toThrow(/must be a string such as ij,jk->ik/);
    expect(() => compile(() => ops.einsum("")).runSync()).toThrow(ArgumentError);
  });
});
