// What all losses share: their type, the check that prediction and target fit, and what becomes of a batch of them.
import { requireOneOf } from "../guidance/arguments.js";
import { ArgumentError, checkOptions, ShapeError } from "../errors.js";
import { spelled, uncalled } from "../guidance/factories.js";
import { got } from "../names/got.js";
import { weighted } from "../ops/batch-weight.js";
import { reductions, type Reduction } from "../ops/cross-entropy.js";
import { requireTensor } from "../ops/require.js";
import { countOf, showShape } from "../tensor/nd-array.js";
import { Tensor } from "../tensor/tensor.js";

/** A loss: a prediction and a target to one number. Its `name` is what summaries call it. */
export type Loss = ((prediction: Tensor, target: Tensor) => Tensor) & { readonly name: string };

/** What becomes of the losses of a batch. */
export interface ReductionOption {
  /**
   * Their mean, their sum, or all of them ("none", which cannot be trained on). Default "mean". Over a data set, means are weighted
   * by what each batch counted and sums are added: `fit` and `evaluate` give the same for batches of any size.
   */
  readonly reduction?: Reduction | undefined;
}

/** Names a function of prediction and target. */
export function named(name: string, f: (prediction: Tensor, target: Tensor) => Tensor): Loss {
  return Object.defineProperty(f, "name", { value: name });
}

/** Checks the options of a loss; a tensor among them is one that was to be lost. @throws ArgumentError */
export function checkLossOptions(where: string, options: object, known: readonly string[]): void {
  refuseTensor(where, options);
  checkOptions(where, options, known);
}

/** @throws ArgumentError for a prediction in the place of options. */
export function refuseTensor(where: string, options: unknown): void {
  if (!(options instanceof Tensor)) return;
  throw new ArgumentError(
    `${where}: it takes options and makes the loss, which takes the tensors: write ${where}()(prediction, target); got ${got(options)}`,
  );
}

/** @throws ArgumentError unless `value` is a loss, called if it is one of this module. */
export function requireLoss(where: string, value: unknown): asserts value is Loss {
  const instead = uncalled(value) ?? spelled("loss", value);
  if (typeof value === "function" && instead === undefined) return;
  throw new ArgumentError(
    `${where}: loss must be one of loss, such as loss.crossEntropy(), got ${got(value)}${instead === undefined ? "" : `; ${instead}`}`,
  );
}

/** The reduction that options ask for. @throws ArgumentError */
export function reductionOf(where: string, options: ReductionOption): Reduction {
  const reduction = options.reduction ?? "mean";
  requireOneOf(where, "reduction", reduction, reductions);
  return reduction;
}

/** Losses made one number. */
export function reduce(losses: Tensor, reduction: Reduction): Tensor {
  return reduction === "none" ? losses : reduction === "sum" ? weighted(losses.sum(), "sum") : losses.mean();
}

/**
 * The target in the element type and shape of the prediction. A prediction [N, 1] takes a target [N]; any other difference
 * throws, because broadcasting [N, 1] against [N] would silently compare every pair.
 *
 * @throws ShapeError
 */
export function fitted(where: string, prediction: Tensor, target: Tensor): Tensor {
  requireTensor(where, "the prediction", prediction);
  requireTensor(where, "the target", target);
  const same = showShape(prediction.shape) === showShape(target.shape);
  const squeezed = (shape: readonly number[]) => showShape(shape.filter((extent) => extent !== 1));
  const column = countOf(prediction.shape) === countOf(target.shape) && Math.abs(prediction.rank - target.rank) === 1;
  if (!same && !(column && squeezed(prediction.shape) === squeezed(target.shape))) {
    throw new ShapeError(
      `${where}: prediction and target must have one shape, got ${showShape(prediction.shape)} and ${showShape(target.shape)}${fitInstead(where, prediction, target)}`,
    );
  }
  const values = target.cast(prediction.dtype);
  return same ? values : values.reshape(prediction.shape);
}

function fitInstead(where: string, prediction: Tensor, target: Tensor): string {
  if (prediction.rank === target.rank + 1 && showShape(prediction.shape.slice(0, -1)) === showShape(target.shape)) {
    return where.startsWith("bce")
      ? "; for classes by number use loss.crossEntropy(), for yes and no let the last layer give one score"
      : "; for classes by number use loss.crossEntropy(), for numbers let the last layer give one";
  }
  return countOf(prediction.shape) === countOf(target.shape)
    ? `; reshape the target to ${showShape(prediction.shape)}`
    : "";
}
