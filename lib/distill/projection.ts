// The learned map from the width of a student's layer to that of its teacher's: linear over the last dimension, 1 × 1 over images.
// It starts from the run's seed alone, so that a run gives the same bits whatever was made before it.
import { ArgumentError } from "../errors.js";
import { Module } from "../nn/index.js";
import { conv2d } from "../ops/index.js";
import { Parameter } from "../tensor/parameter.js";
import { call } from "../native/index.js";
import type { Tensor } from "../tensor/tensor.js";

/** When the student's features are projected. */
export type ProjectionKind = "auto" | "always" | "never";

export const projections: readonly ProjectionKind[] = ["auto", "always", "never"];

/** Option of `distill.hints`. */
export interface ProjectionOption {
  /** Project the student's features: where widths differ, always, or never. Default "auto". */
  readonly projection?: ProjectionKind | undefined;
}

// Far from the streams of a model's own weights.
const firstStream = 2 ** 31;

class Projection extends Module {
  readonly image: boolean;
  weight: Parameter;
  bias: Parameter;

  constructor(from: number, to: number, image: boolean, seed: number, index: number) {
    super();
    this.image = image;
    this.weight = new Parameter(image ? [to, from, 1, 1] : [to, from]);
    this.bias = new Parameter([to]);
    const bound = 1 / Math.sqrt(from);
    [this.weight, this.bias].forEach((parameter, i) =>
      call(() => parameter.native.fill("uniform", -bound, bound, seed, firstStream + 2 * index + i)),
    );
  }

  forward(x: Tensor): Tensor {
    if (this.image) return conv2d(x, this.weight, { bias: this.bias });
    return x.matmul(this.weight, { transB: true }).add(this.bias);
  }
}

/** The student's features in the teacher's width. `key` stands for the projection within a run. */
export function projected(where: string, student: Tensor, teacher: Tensor, kind: ProjectionKind, key: object): Tensor {
  const image = student.rank === 4;
  const axis = image ? 1 : student.rank - 1;
  const [from, to] = [student.shape[axis]!, teacher.shape[axis] ?? 0];
  const alike = student.rank === teacher.rank;
  if (kind === "never" || !alike || (kind === "auto" && from === to)) return student;
  const { step } = student.trace;
  if (!step) {
    throw new ArgumentError(
      `${where}: a projection is learned, which takes train.fit or train.step; features of one width need none`,
    );
  }
  return step.auxiliary(key, (seed, index) => new Projection(from, to, image, seed, index)).forward(student);
}
