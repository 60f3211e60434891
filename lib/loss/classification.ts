// Losses of classifiers. All are taken from scores or log-probabilities by forms that neither overflow nor cancel.
import { requireAboveZero, requireCount, requireFlag } from "../guidance/arguments.js";
import { ArgumentError, checkOptions, ShapeError } from "../errors.js";
import {
  checkCrossEntropy,
  crossEntropy as crossEntropyOf,
  labelsFor,
  type CrossEntropyOptions,
} from "../ops/cross-entropy.js";
import { weighted } from "../ops/batch-weight.js";
import { requireTensor } from "../ops/require.js";
import { got } from "../names/got.js";
import type { Reduction } from "../ops/cross-entropy.js";
import { showShape } from "../tensor/nd-array.js";
import { Tensor } from "../tensor/tensor.js";
import {
  checkLossOptions,
  fitted,
  named,
  reduce,
  reductionOf,
  refuseTensor,
  type Loss,
  type ReductionOption,
} from "./loss.js";

const crossEntropyOptions = ["labelSmoothing", "ignoreIndex", "reduction", "fromLogits"];

/** Options of {@link crossEntropy}. */
export interface CrossEntropyLossOptions extends CrossEntropyOptions {
  /**
   * Whether the model gives scores, on which the loss takes the softmax itself. False for a model that ends in one: the loss is
   * then −log p, with p held above 1e-37. As `from_logits` of Keras, but true by default.
   */
  readonly fromLogits?: boolean | undefined;
}

/**
 * −log softmax(scores)[label], for scores f32 […, C] and labels […], whole numbers in any element type; the target may be probabilities f32 […, C]
 * instead. As torch.nn.CrossEntropyLoss with the classes last.
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced; ArgumentError when traced, for what a softmax or a sigmoid gave, and
 *   when run, for a label that is no class.
 * @example
 * const f = compile(loss.crossEntropy({ labelSmoothing: 0.1 }));
 * const value = await f.run(array([2, 1, 0, 3], [2, 2]), array(Int32Array.of(0, 1)));
 */
export function crossEntropy(options: CrossEntropyLossOptions = {}): Loss {
  const where = "loss.crossEntropy";
  refuseTensor(where, options);
  checkOptions(where, options, crossEntropyOptions);
  const { fromLogits = true, ...rest } = options;
  requireFlag(where, "fromLogits", fromLogits);
  checkCrossEntropy(where, rest);
  return named("crossEntropy", (prediction, target) => {
    requireTensor("crossEntropy", "the prediction", prediction);
    if (prediction.rank > 0 && prediction.shape.at(-1) === 1) {
      throw new ShapeError(
        `${where}: the prediction ${showShape(prediction.shape)} has one class, of which the loss is always 0; write loss.bceWithLogits() for yes and no, loss.mse() for numbers, or give the last layer a result for each class`,
      );
    }
    if (fromLogits) refuseProbabilities(where, prediction);
    const scores = fromLogits ? prediction : prediction.maximum(1e-37).log();
    return crossEntropyOf(scores, target, rest);
  });
}

function refuseProbabilities(where: string, prediction: Tensor): void {
  const origin = prediction.trace.origins.of(prediction.id);
  if (origin === undefined || origin === "scores") return;
  const keep =
    origin === "softmax"
      ? `; to keep it in the model, write ${where}({ fromLogits: false })`
      : "; for several yes-or-no answers a sample, use loss.bceWithLogits()";
  throw new ArgumentError(
    `${where}: the prediction comes from a ${origin}, and the loss takes the softmax itself, so that it would be taken twice; leave nn.${origin}() out of the model${keep}`,
  );
}

/** Options of {@link nll}. */
export interface NllOptions extends ReductionOption {
  /** A label whose rows do not count. Default none. */
  readonly ignoreIndex?: number | undefined;
}

/**
 * −logProbabilities[label], for f32 […, C] and labels […], whole numbers in any element type. As torch.nn.NLLLoss with the classes last.
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced; ArgumentError when run, for a label that is no class.
 */
export function nll(options: NllOptions = {}): Loss {
  checkLossOptions("loss.nll", options, ["ignoreIndex", "reduction"]);
  const reduction = reductionOf("loss.nll", options);
  const { ignoreIndex } = options;
  if (ignoreIndex !== undefined) requireCount("loss.nll", "ignoreIndex", ignoreIndex, -(2 ** 31));
  return named("nll", (prediction, target) => {
    refuseScores("loss.nll", prediction, "log-probabilities", "loss.crossEntropy()");
    requireTensor("nll", "the prediction", prediction);
    requireTensor("nll", "the target", target);
    const labels = labelsFor("nll", prediction, target).cast("i32");
    if (ignoreIndex === undefined) return reduce(picked(prediction, labels), reduction);
    const counts = labels.ne(ignoreIndex);
    const losses = counts.where(picked(prediction, counts.where(labels, 0)), 0);
    return reduction === "mean" ? meanOf(losses, counts) : reduce(losses, reduction);
  });
}

const picked = (scores: Tensor, labels: Tensor): Tensor => scores.gather(-1, labels.expandDims(-1)).squeeze(-1).neg();

/** Options of {@link bce}. */
export interface BceOptions extends ReductionOption {
  /** A target that does not count, such as −1 where nobody answered; of several answers a sample, that one alone. Default none. */
  readonly ignoreIndex?: number | undefined;
}

/**
 * −(t log p + (1 − t) log(1 − p)) of probabilities, with logarithms held above −100 as in torch.nn.BCELoss. Prefer
 * {@link bceWithLogits} on scores: p near 0 or 1 has lost what the score knew.
 *
 * @throws ArgumentError; ShapeError when traced.
 */
export function bce(options: BceOptions = {}): Loss {
  const where = "loss.bce";
  checkLossOptions(where, options, ["ignoreIndex", "reduction"]);
  const reduction = reductionOf(where, options);
  const ignoreIndex = ignoredTarget(where, options);
  return named("bce", (p, target) => {
    refuseScores(where, p, "probabilities", "loss.bceWithLogits()");
    return overCounted(fitted("bce", p, target), ignoreIndex, reduction, (t) => {
      const no = p.neg().add(1);
      return t
        .mul(heldLog(p))
        .add(t.neg().add(1).mul(heldLog(no)))
        .neg();
    });
  });
}

/** @throws ArgumentError unless it is a whole number that no target can be. */
function ignoredTarget(where: string, { ignoreIndex }: BceOptions): number | undefined {
  if (ignoreIndex === undefined || (Number.isSafeInteger(ignoreIndex) && (ignoreIndex < 0 || ignoreIndex > 1))) {
    return ignoreIndex;
  }
  throw new ArgumentError(
    `${where}: ignoreIndex must be a whole number other than 0 and 1, which are targets, such as -1; got ${got(ignoreIndex)}`,
  );
}

/** Losses of targets, without those that are ignored. */
function overCounted(
  target: Tensor,
  ignoreIndex: number | undefined,
  reduction: Reduction,
  losses: (target: Tensor) => Tensor,
): Tensor {
  if (ignoreIndex === undefined) return reduce(losses(target), reduction);
  const counts = target.ne(ignoreIndex);
  const kept = counts.where(losses(counts.where(target, 0)), 0);
  return reduction === "mean" ? meanOf(kept, counts) : reduce(kept, reduction);
}

/** The mean of the losses that count, 0 where none does. */
function meanOf(losses: Tensor, counts: Tensor): Tensor {
  const count = counts.cast("f32").sum();
  return weighted(losses.sum().div(count.maximum(1).cast(losses.dtype)), count);
}

function refuseSigmoid(x: Tensor): void {
  const origin = x.trace.origins.of(x.id);
  if (origin === undefined || origin === "scores") return;
  throw new ArgumentError(
    `loss.bceWithLogits: the prediction comes from a ${origin}, and the loss takes the sigmoid itself; leave nn.${origin}() out of the model, or write ${origin === "sigmoid" ? "loss.bce(), which takes probabilities" : "loss.crossEntropy() for classes that exclude each other"}`,
  );
}

// What a layer gives is a score of any size; no logarithm was taken of it, and no sigmoid.
function refuseScores(where: string, prediction: Tensor, expected: string, instead: string): void {
  if (!(prediction instanceof Tensor) || prediction.trace.origins.of(prediction.id) !== "scores") return;
  throw new ArgumentError(
    `${where}: it takes ${expected}, and the prediction is the bare result of a layer; write ${instead}, which takes such scores`,
  );
}

// log p, but -100 where p is 0, with the slope 1e12 there: that of log is infinite.
function heldLog(p: Tensor): Tensor {
  const none = p.eq(0);
  return none.where(p.mul(1e12).sub(100), none.where(1, p).log().maximum(-100));
}

/** Options of {@link bceWithLogits}. */
export interface BceWithLogitsOptions extends BceOptions {
  /** Weight of the truths, for data with few of them. Default 1. */
  readonly posWeight?: number | undefined;
}

/**
 * The same of scores x with p = sigmoid(x): softplus(x) − t x, which neither overflows nor cancels. Targets 0 … 1 of any
 * element type. As torch.nn.BCEWithLogitsLoss.
 *
 * @throws ArgumentError; ShapeError when traced.
 * @example
 * const f = compile(loss.bceWithLogits());
 * (await f.run(array([1000, -1000]), array([1, 0]))).item(); // 0
 */
export function bceWithLogits(options: BceWithLogitsOptions = {}): Loss {
  const where = "loss.bceWithLogits";
  checkLossOptions(where, options, ["ignoreIndex", "reduction", "posWeight"]);
  const reduction = reductionOf(where, options);
  const ignoreIndex = ignoredTarget(where, options);
  const { posWeight = 1 } = options;
  requireAboveZero(where, "posWeight", posWeight);
  return named("bceWithLogits", (x, target) => {
    requireTensor("bceWithLogits", "the prediction", x);
    refuseSigmoid(x);
    return overCounted(fitted("bceWithLogits", x, target), ignoreIndex, reduction, (t) => {
      if (posWeight === 1) return x.softplus().sub(t.mul(x));
      // w t softplus(−x) + (1 − t) softplus(x)
      const missed = t.mul(posWeight).mul(x.neg().softplus());
      return missed.add(t.neg().add(1).mul(x.softplus()));
    });
  });
}

/** Options of {@link hinge}. */
export interface HingeOptions extends ReductionOption {
  /** Default 1. */
  readonly margin?: number | undefined;
}

/**
 * max(0, margin − t x) for targets −1 and 1.
 *
 * @throws ArgumentError; ShapeError when traced.
 * @example
 * const f = compile(loss.hinge({ reduction: "none" }));
 * (await f.run(array([0.5, 3]), array([1, -1]))).toArray(); // [0.5, 4]
 */
export function hinge(options: HingeOptions = {}): Loss {
  checkLossOptions("loss.hinge", options, ["reduction", "margin"]);
  const reduction = reductionOf("loss.hinge", options);
  const { margin = 1 } = options;
  requireAboveZero("loss.hinge", "margin", margin);
  return named("hinge", (x, target) => reduce(fitted("hinge", x, target).mul(x).neg().add(margin).relu(), reduction));
}

/**
 * Σ t (log t − prediction) over the last dimension, for log-probabilities and target probabilities […, C]; the mean is over
 * rows, as torch.nn.KLDivLoss with "batchmean".
 *
 * @throws ArgumentError; ShapeError when traced.
 */
export function kl(options: ReductionOption = {}): Loss {
  checkLossOptions("loss.kl", options, ["reduction"]);
  const reduction = reductionOf("loss.kl", options);
  return named("kl", (prediction, target) => {
    const t = fitted("kl", prediction, target);
    const log = t.gt(0).where(t, 1).log(); // 0 log 0 = 0
    return reduce(t.mul(log.sub(prediction)).sum(-1), reduction);
  });
}
