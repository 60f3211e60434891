// What all losses share: their type, the check that prediction and target fit, and what becomes of a batch of them.
import { ShapeError } from "../errors.js";
import { reductions, type Reduction } from "../ops/cross-entropy.js";
import { requireOneOf, requireTensor } from "../ops/require.js";
import { countOf, showShape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";

/** A loss: a prediction and a target to one number. Its `name` is what summaries call it. */
export type Loss = ((prediction: Tensor, target: Tensor) => Tensor) & { readonly name: string };

/** What becomes of the losses of a batch. */
export interface ReductionOption {
  /** Their mean, their sum, or all of them ("none", which cannot be trained on). Default "mean". */
  readonly reduction?: Reduction | undefined;
}

/** Names a function of prediction and target. */
export function named(name: string, f: (prediction: Tensor, target: Tensor) => Tensor): Loss {
  return Object.defineProperty(f, "name", { value: name });
}

/** The reduction that options ask for. @throws ArgumentError */
export function reductionOf(where: string, options: ReductionOption): Reduction {
  const reduction = options.reduction ?? "mean";
  requireOneOf(where, "reduction", reduction, reductions);
  return reduction;
}

/** Losses made one number. */
export function reduce(losses: Tensor, reduction: Reduction): Tensor {
  return reduction === "none" ? losses : reduction === "sum" ? losses.sum() : losses.mean();
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
      `${where}: prediction and target must have one shape, got ${showShape(prediction.shape)} and ${showShape(target.shape)}`,
    );
  }
  const values = target.cast(prediction.dtype);
  return same ? values : values.reshape(prediction.shape);
}
