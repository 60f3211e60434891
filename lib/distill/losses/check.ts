// What the losses of distillation share: that student and teacher fit, and norms that have a gradient at 0.
import { requireAboveZero } from "../../guidance/arguments.js";
import { ArgumentError, DTypeError, ShapeError } from "../../errors.js";
import { requireTensor } from "../../ops/require.js";
import { showShape } from "../../tensor/nd-array.js";
import { Tensor } from "../../tensor/tensor.js";

/** A number, or one that a step is fed. */
export type Factor = number | Tensor;

/**
 * Scores of student and teacher, the teacher's without a gradient.
 *
 * @throws ArgumentError, DTypeError; ShapeError unless they have one shape.
 */
export function pair(where: string, student: unknown, teacher: unknown): readonly [Tensor, Tensor] {
  const [s, t] = tensors(where, student, teacher);
  if (showShape(s.shape) !== showShape(t.shape) || s.rank < 1) {
    throw new ShapeError(
      `${where}: student and teacher must give scores of one shape […, classes], got ${showShape(s.shape)} and ${showShape(t.shape)}`,
    );
  }
  for (const tensor of [s, t]) refuseProbabilities(where, tensor);
  return [s, t];
}

function refuseProbabilities(where: string, { trace, id }: Tensor): void {
  if (trace.origins.of(id) !== "softmax") return;
  throw new ArgumentError(
    `${where}: it takes scores and softens them itself, and these come from a softmax; leave nn.softmax() out of student and teacher`,
  );
}

/** Two f32 tensors of any shape, the teacher's without a gradient. @throws ArgumentError, DTypeError */
export function tensors(where: string, student: unknown, teacher: unknown): readonly [Tensor, Tensor] {
  requireTensor(where, "the student's tensor", student);
  requireTensor(where, "the teacher's tensor", teacher);
  for (const [whose, { dtype }] of [["student", student] as const, ["teacher", teacher] as const]) {
    if (dtype !== "f32") throw new DTypeError(`${where}: the ${whose}'s tensor must be f32, got ${dtype}; cast it`);
  }
  return [student, teacher.stopGradient()];
}

/** The same with as many samples each. @throws ShapeError */
export function batches(where: string, student: unknown, teacher: unknown): readonly [Tensor, Tensor] {
  const [s, t] = tensors(where, student, teacher);
  if (s.rank < 2 || t.rank < 2 || s.shape[0] !== t.shape[0]) {
    throw new ShapeError(
      `${where}: expected features [N, …] of the same samples, got ${showShape(s.shape)} of the student and ${showShape(t.shape)} of the teacher`,
    );
  }
  return [s, t];
}

/** @throws ArgumentError unless it is a tensor or a number above 0. */
export function checkTemperature(where: string, temperature: Factor): void {
  if (!(temperature instanceof Tensor)) requireAboveZero(where, "temperature", temperature);
}

export const squared = (factor: Factor): Factor => (factor instanceof Tensor ? factor.square() : factor * factor);

/** Σ x² over an axis, kept above 0 so that its root has a gradient. */
export const squares = (x: Tensor, axis: number): Tensor => x.square().sum(axis, { keep: true }).maximum(1e-24);

/** x / ‖x‖ along an axis; 0 stays 0. */
export const normalized = (x: Tensor, axis: number): Tensor => x.div(squares(x, axis).sqrt());

/** [N, …] as [N, D] */
export const rows = (x: Tensor): Tensor => (x.rank === 2 ? x : x.flatten(1));
