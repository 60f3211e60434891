// Einstein summation as axes moved, summed and multiplied: every pair of operands becomes one matrix product of
// [batch, free of the first, contracted] · [batch, contracted, free of the second], operands from left to right.
import { ArgumentError, ShapeError } from "../errors.js";
import { showShape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { listOf } from "./join.js";

/** A tensor whose axes have labels: letters, or "…0", "…1" for those of an ellipsis, counted from its end. */
interface Labelled {
  readonly x: Tensor;
  readonly labels: readonly string[];
}

/**
 * Products of tensors summed over the axes that the result does not name, as `torch.einsum`: in `"bij,bjk->bik"` every letter is an
 * axis. A letter twice in one operand takes its diagonal; `...` stands for leading axes, which broadcast; without `->` the result has
 * the letters that occur once, in the alphabet's order. Axes of extent 1 broadcast. Operands are contracted from left to right.
 *
 * @throws ArgumentError for an equation that cannot be read or does not fit the number of operands; ShapeError for other ranks and
 *   extents than it says; DTypeError where the operands differ in element type.
 * @example
 * const scores = compile((q: Tensor, k: Tensor) => ops.einsum("bhqd,bhkd->bhqk", q, k));
 * (await scores.run(array([1, 2], [1, 1, 1, 2]), array([3, 4], [1, 1, 1, 2]))).item(); // 11
 */
export function einsum(equation: string, ...tensors: Tensor[]): Tensor {
  const operands = listOf("einsum", tensors);
  const { inputs, output } = parse(equation, operands);
  const extents = extentsOf(operands, inputs);
  const labelled = operands.map((x, i) => squeezed(diagonals({ x, labels: inputs[i]! }), extents));
  let result = labelled[0]!;
  labelled.slice(1).forEach((next, i) => {
    const wanted = new Set([...output, ...labelled.slice(i + 2).flatMap(({ labels }) => labels)]);
    result = contracted(result, next, wanted);
  });
  result = summed(result, new Set(output));
  // A label that only axes of extent 1 carry was left out above.
  const shape = output.map((label) => (result.labels.includes(label) ? extents.get(label)! : 1));
  const present = output.filter((label) => result.labels.includes(label));
  return moved(result, present).x.reshape(shape);
}

function parse(equation: string, operands: readonly Tensor[]): { inputs: string[][]; output: string[] } {
  if (typeof equation !== "string") throw refused(String(equation), "the equation must be a string such as ij,jk->ik");
  const [left, right, ...rest] = equation.replaceAll(/\s/g, "").split("->");
  const terms = left!.split(",");
  if (rest.length > 0) throw refused(equation, 'it has more than one "->"');
  for (const term of [...terms, right ?? ""]) {
    if (!/^[a-zA-Z]*(\.\.\.)?[a-zA-Z]*$/.test(term))
      throw refused(equation, `"${term}" is not letters with at most one ...`);
  }
  if (terms.length !== operands.length) {
    throw refused(equation, `it has ${terms.length} operands, and ${operands.length} were given`);
  }
  const inputs = terms.map((term, i) => labelsOf(term, operands[i]!.rank, equation, i));
  const dots = [...new Set(inputs.flat().filter((label) => label.startsWith("…")))];
  dots.sort((a, b) => Number(b.slice(1)) - Number(a.slice(1)));
  if (right === undefined) return { inputs, output: [...dots, ...once(inputs.flat())] };
  const output = right.split(/(\.\.\.)/).flatMap((part) => (part === "..." ? dots : Array.from(part)));
  if (new Set(output).size !== output.length) throw refused(equation, "the result names an axis twice");
  const unknown = output.find((label) => !inputs.flat().includes(label));
  if (unknown) throw refused(equation, `the result's "${unknown}" is an axis of no operand`);
  return { inputs, output };
}

const once = (labels: readonly string[]): string[] =>
  [...new Set(labels)]
    .filter((label) => !label.startsWith("…") && labels.indexOf(label) === labels.lastIndexOf(label))
    .sort();

function labelsOf(term: string, rank: number, equation: string, operand: number): string[] {
  const [before, after] = term.split("...") as [string, string | undefined];
  const named = before.length + (after?.length ?? 0);
  if (after === undefined ? named !== rank : named > rank) {
    throw new ShapeError(
      `einsum: "${equation}" gives operand ${operand} ${named} axes${after === undefined ? "" : " or more"}, and it has ${rank}`,
    );
  }
  const dots = Array.from({ length: after === undefined ? 0 : rank - named }, (_, i) => `…${rank - named - 1 - i}`);
  return [before, dots, after ?? ""].flatMap((part) => Array.from(part));
}

const refused = (equation: string, reason: string): ArgumentError =>
  new ArgumentError(`einsum: cannot read "${equation}": ${reason}`);

/** The extent of every label; 1 gives way to any other. */
function extentsOf(operands: readonly Tensor[], inputs: readonly (readonly string[])[]): Map<string, number> {
  const extents = new Map<string, number>();
  operands.forEach(({ shape }, i) => {
    inputs[i]!.forEach((label, axis) => {
      const known = extents.get(label) ?? 1;
      const extent = shape[axis]!;
      if (known !== 1 && extent !== 1 && known !== extent) {
        throw new ShapeError(
          `einsum: axis "${label}" has ${known} elements in one place and ${extent} in operand ${i}, ${showShape(shape)}; extents must be equal or 1`,
        );
      }
      extents.set(label, known === 1 ? extent : known);
    });
  });
  return extents;
}

/** Repeated labels of one tensor made one axis. */
function diagonals({ x, labels }: Labelled): Labelled {
  const second = labels.findIndex((label, axis) => labels.indexOf(label) !== axis);
  if (second === -1) return { x, labels };
  const first = labels.indexOf(labels[second]!);
  const n = x.shape[first]!;
  if (n !== x.shape[second]) {
    throw new ShapeError(`einsum: the diagonal of "${labels[second]}" needs equal extents, got ${showShape(x.shape)}`);
  }
  const others = labels.map((_, axis) => axis).filter((axis) => axis !== first && axis !== second);
  const flat = x.transpose([...others, first, second]).reshape([...others.map((axis) => x.shape[axis]!), n * n]);
  const diagonal = flat.slice(...others.map(() => null), [0, n * n, n + 1]);
  return diagonals({ x: diagonal, labels: [...others.map((axis) => labels[axis]!), labels[first]!] });
}

/** Without axes of extent 1 whose label has more elements elsewhere, or 1 everywhere: they change nothing. */
function squeezed({ x, labels }: Labelled, extents: ReadonlyMap<string, number>): Labelled {
  const axes = labels.map((_, axis) => axis).filter((axis) => x.shape[axis] !== 1 || extents.get(labels[axis]!) === 0);
  return { x: x.reshape(axes.map((axis) => x.shape[axis]!)), labels: axes.map((axis) => labels[axis]!) };
}

/** Summed over the labels that nobody wants. */
function summed({ x, labels }: Labelled, wanted: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, axis) => (wanted.has(label) ? [] : [axis]));
  if (axes.length === 0) return { x, labels };
  return { x: x.sum(axes), labels: labels.filter((label) => wanted.has(label)) };
}

function moved({ x, labels }: Labelled, order: readonly string[]): Labelled {
  if (order.every((label, axis) => label === labels[axis])) return { x, labels };
  return { x: x.transpose(order.map((label) => labels.indexOf(label))), labels: order };
}

function contracted(first: Labelled, second: Labelled, wanted: ReadonlySet<string>): Labelled {
  const a = summed(first, new Set([...wanted, ...second.labels]));
  const b = summed(second, new Set([...wanted, ...first.labels]));
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => wanted.has(label));
  const inner = shared.filter((label) => !wanted.has(label));
  const freeA = a.labels.filter((label) => !shared.includes(label));
  const freeB = b.labels.filter((label) => !shared.includes(label));
  const size = ({ x, labels }: Labelled, some: readonly string[]) =>
    some.map((label) => x.shape[labels.indexOf(label)]!);
  const count = (shape: readonly number[]) => shape.reduce((m, n) => m * n, 1);
  const matrix = (side: Labelled, rows: readonly string[], columns: readonly string[]) =>
    moved(side, [...batch, ...rows, ...columns]).x.reshape([
      ...size(side, batch),
      count(size(side, rows)),
      count(size(side, columns)),
    ]);
  const y = matrix(a, freeA, inner).matmul(matrix(b, inner, freeB));
  return {
    x: y.reshape([...size(a, batch), ...size(a, freeA), ...size(b, freeB)]),
    labels: [...batch, ...freeA, ...freeB],
  };
}
