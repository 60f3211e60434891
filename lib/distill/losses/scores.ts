// Losses between the scores of a student and a teacher, f32 […, C] both; the mean is over rows. T is the temperature, p the
// softmax of the teacher's scores / T, q that of the student's. Factors of T² keep the size of the gradients when T changes.
import { requireOneOf } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions, ShapeError } from "../../errors.js";
import { requireTensor } from "../../ops/require.js";
import { centered, wholeNumbers } from "../../tensor/composed.js";
import { NdArray, showShape } from "../../tensor/nd-array.js";
import type { Tensor } from "../../tensor/tensor.js";
import { checkTemperature, pair, squared, squares, type Factor } from "./check.js";

/** Options of losses with a temperature. */
export interface TemperatureOption {
  /** Above 0; larger ones soften the teacher's probabilities. Default 1. */
  readonly temperature?: Factor | undefined;
}

/** Which way a divergence is measured. */
export type Divergence = "forward" | "reverse" | "jensenShannon";

/** Every {@link Divergence}. */
export const divergences: readonly Divergence[] = ["forward", "reverse", "jensenShannon"];

/** Options of {@link kd}. */
export interface KdLossOptions extends TemperatureOption {
  /**
   * "forward" KL(p ‖ q) covers all that the teacher holds possible; "reverse" KL(q ‖ p) has the student keep to what the teacher is
   * sure of (MiniLLM; Gu et al. 2024); "jensenShannon" lies between, ½ KL(p ‖ m) + ½ KL(q ‖ m) with m = ½ (p + q), as GKD with
   * β ½ (Agarwal et al. 2024). Default "forward".
   */
  readonly divergence?: Divergence | undefined;
}

/**
 * T² KL(p ‖ q) (Hinton, Vinyals and Dean 2015), or another divergence.
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 * @example
 * const f = compile((s: Tensor, t: Tensor) => distill.losses.kd(s, t, { temperature: 2 }));
 * (await f.run(array([1, 2, 3], [1, 3]), array([2, 3, 4], [1, 3]))).item(); // 0
 */
export function kd(student: Tensor, teacher: Tensor, options: KdLossOptions = {}): Tensor {
  const where = "distill.kd";
  checkOptions(where, options, ["temperature", "divergence"]);
  const { divergence = "forward", ...rest } = options;
  requireOneOf(where, "divergence", divergence, divergences);
  const { logP, logQ, T } = softened(where, student, teacher, rest);
  if (divergence === "forward") return meanKl(logP, logQ).mul(squared(T));
  if (divergence === "reverse") return meanKl(logQ, logP).mul(squared(T));
  // log m from logarithms, so that m is never 0 where p and q are tiny
  const top = logP.maximum(logQ);
  const logM = logP.sub(top).exp().add(logQ.sub(top).exp()).log().add(top).sub(Math.LN2);
  return meanKl(logP, logM).add(meanKl(logQ, logM)).mul(0.5).mul(squared(T));
}

/**
 * −T² Σ p log q: {@link kd} and T² times the teacher's entropy, which has no gradient.
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 */
export function softCrossEntropy(student: Tensor, teacher: Tensor, options: TemperatureOption = {}): Tensor {
  const { logP, logQ, T } = softened("distill.softCrossEntropy", student, teacher, options);
  return logP.exp().mul(logQ).sum(-1).mean().neg().mul(squared(T));
}

/** Options of {@link dkd}. */
export interface DkdOptions extends TemperatureOption {
  /** Weight of the target class against all others. Default 1. */
  readonly target?: Factor | undefined;
  /** Weight of the other classes among themselves. Default 8. */
  readonly others?: Factor | undefined;
}

/**
 * Decoupled distillation, T² (target · TCKD + others · NCKD) (Zhao et al. 2022): the divergence of "the label or not", and that
 * among the other classes, which plain distillation weighs down by the teacher's doubt.
 *
 * @param labels […] of whole numbers in any element type.
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 */
export function dkd(student: Tensor, teacher: Tensor, labels: Tensor, options: DkdOptions = {}): Tensor {
  const where = "distill.dkd";
  checkOptions(where, options, ["temperature", "target", "others"]);
  const { temperature: T = 1, target = 1, others = 8 } = options;
  checkTemperature(where, T);
  const [s, t] = pair(where, student, teacher).map((scores) => scores.div(T)) as [Tensor, Tensor];
  const label = oneHot(where, s, labels); // […, C]
  const away = label.mul(-1000); // takes the label's class out of a softmax
  const split = (scores: Tensor) => ({
    yes: scores.logSoftmax().mul(label).sum(-1),
    no: logSumExp(scores.add(away)).sub(logSumExp(scores)),
    rest: scores.add(away).logSoftmax(),
  });
  const [q, p] = [split(s), split(t)];
  const tckd = p.yes
    .exp()
    .mul(p.yes.sub(q.yes))
    .add(p.no.exp().mul(p.no.sub(q.no)))
    .mean();
  return tckd.mul(target).add(meanKl(p.rest, q.rest).mul(others)).mul(squared(T));
}

/** Options of {@link dist}. */
export interface DistOptions extends TemperatureOption {
  /** Weight of the correlation over the classes of each sample. Default 1. */
  readonly inter?: Factor | undefined;
  /** Weight of the correlation over the samples of each class. Default 1. */
  readonly intra?: Factor | undefined;
}

/**
 * T² (inter (1 − ρ of rows) + intra (1 − ρ of columns)) with Pearson's ρ between p and q (DIST; Huang et al. 2022): a student need
 * only match the teacher's relations.
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 */
export function dist(student: Tensor, teacher: Tensor, options: DistOptions = {}): Tensor {
  const where = "distill.dist";
  checkOptions(where, options, ["temperature", "inter", "intra"]);
  const { temperature: T = 1, inter = 1, intra = 1 } = options;
  checkTemperature(where, T);
  const [q, p] = pair(where, student, teacher).map((scores) => {
    const soft = scores.div(T).softmax();
    return soft.rank === 2 ? soft : soft.reshape([-1, soft.shape.at(-1)!]); // (N, C)
  }) as [Tensor, Tensor];
  const apart = (axis: number) => correlation(q, p, axis).mean().neg().add(1);
  return apart(1).mul(inter).add(apart(0).mul(intra)).mul(squared(T));
}

/**
 * Scores with mean 0 and deviation 1 in every row, (z − mean) / (deviation + 1e-7) with the unbiased deviation: the student
 * then need not match the range of the teacher's scores (logit standardization; Sun et al. 2024).
 */
export function standardize(scores: Tensor): Tensor {
  requireTensor("distill.logitStandardization", "scores", scores);
  const classes = scores.shape.at(-1) ?? 1;
  if (classes < 2)
    throw new ShapeError(`distill.logitStandardization: expected scores […, classes] of at least 2 classes`);
  const apart = centered(scores, -1);
  const deviation = squares(apart, -1)
    .div(classes - 1)
    .sqrt();
  return apart.div(deviation.add(1e-7));
}

function softened(where: string, student: Tensor, teacher: Tensor, options: TemperatureOption) {
  checkOptions(where, options, ["temperature"]);
  const { temperature: T = 1 } = options;
  checkTemperature(where, T);
  const [logQ, logP] = pair(where, student, teacher).map((scores) => scores.div(T).logSoftmax()) as [Tensor, Tensor];
  return { logP, logQ, T };
}

/** Mean over rows of Σ p (log p − log q). */
const meanKl = (logP: Tensor, logQ: Tensor): Tensor => logP.exp().mul(logP.sub(logQ)).sum(-1).mean();

function logSumExp(scores: Tensor): Tensor {
  const top = scores.max(-1, { keep: true }).stopGradient();
  return scores.sub(top).exp().sum(-1).log().add(top.squeeze(-1));
}

function correlation(a: Tensor, b: Tensor, axis: number): Tensor {
  const [x, y] = [a, b].map((values) => centered(values, axis)) as [Tensor, Tensor];
  const norms = squares(x, axis).sqrt().mul(squares(y, axis).sqrt()).add(1e-8);
  return x.mul(y).sum(axis, { keep: true }).div(norms);
}

function oneHot(where: string, scores: Tensor, labels: Tensor): Tensor {
  const lead = scores.shape.slice(0, -1);
  if (showShape(lead) !== showShape(labels.shape)) {
    throw new ShapeError(
      `${where}: labels ${showShape(labels.shape)} do not fit scores ${showShape(scores.shape)}, expected ${showShape(lead)}`,
    );
  }
  const classes = scores.shape.at(-1)!;
  if (classes < 2) throw new ArgumentError(`${where}: needs at least 2 classes, got scores ${showShape(scores.shape)}`);
  const numbers = new NdArray(
    Int32Array.from({ length: classes }, (_, i) => i),
    [classes],
  );
  return wholeNumbers(labels, `${where}: labels`).cast("i32").expandDims(-1).eq(numbers).cast("f32"); // […, C]
}
