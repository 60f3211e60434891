// How much every weight matters: plain functions, traced into the program that makes the masks. The weights with the smallest
// scores go. What a criterion reads beside the weights is gathered only if it asks for it.
import type { Tensor } from "../tensor/tensor.js";
import { ArgumentError } from "../errors.js";

/** Which weights are compared with one another: those of one output, of one parameter, or all of them. */
export type Scope = "row" | "layer" | "global";

/** What a criterion may read of a parameter, all f32 of the parameter's shape. Means are over the samples of `calibrate`. */
export interface CriterionInputs {
  readonly weight: Tensor;
  /** The gradient of the mean loss. */
  readonly gradient: Tensor;
  /** The mean over batches of the squared gradient of the batch's loss. */
  readonly gradientSquare: Tensor;
  /** −Σ w · g over the training steps so far; without training, over the batches of `calibrate`. */
  readonly movement: Tensor;
  /** ‖x‖₂ over all samples of the input value that a weight is multiplied with. */
  readonly inputNorm: Tensor;
  /** Random numbers in [0, 1), by `seed`. */
  readonly random: Tensor;
}

/** A score for every weight, f32 of the parameter's shape; the smallest ones are pruned. `scope` is its default scope. */
export type Criterion = ((given: CriterionInputs) => Tensor) & { readonly scope?: Scope };

// A criterion is handed over as it is. Called without its inputs it says so; it reads no others than those that it names, for what it
// reads is gathered.
function criterion(name: string, score: Criterion, scope?: Scope): Criterion {
  const checked = (given: CriterionInputs): Tensor => {
    if (typeof given === "object" && given !== null && "weight" in given) return score(given);
    throw new ArgumentError(`prune.${name}: it is handed over uncalled: prune(model, { criterion: prune.${name} })`);
  };
  Object.defineProperty(checked, "name", { value: name }); // what a model's info says it was pruned by
  return Object.assign(checked, scope && { scope });
}

/**
 * |w|, the magnitude (Han et al. 2015). A block has the sum of its weights' scores.
 *
 * @example
 * const halved = await prune(nn.linear(8, 4), { amount: 0.5, criterion: prune.l1 });
 */
export const l1 = criterion("l1", ({ weight }) => weight.abs());

/** w²: the same order as {@link l1} for single weights, that of the Euclidean norm for blocks. */
export const l2 = criterion("l2", ({ weight }) => weight.square());

/** Chance, by `seed`: what any other criterion has to beat. */
export const random = criterion("random", ({ random }) => random);

/**
 * |w · g|, the first-order estimate of what the loss gains without the weight: the root of its mean square over batches
 * (Molchanov et al. 2019). Needs `calibrate` and `loss`.
 */
export const taylor = criterion("taylor", ({ weight, gradientSquare }) => weight.abs().mul(gradientSquare.sqrt()));

/**
 * −Σ w · g over the training steps: weights that move away from zero stay (Sanh et al. 2020). Made for pruning `during`
 * training, with a schedule that starts after some steps.
 */
export const movement = criterion("movement", ({ movement }) => movement);

/**
 * |w| · ‖x‖₂ of the weight's input, compared within an output (Sun et al. 2023). Needs `calibrate`, but neither loss nor
 * training. Inputs that were 0 in all samples count as the least that was seen; where none was seen it is the magnitude.
 *
 * @example
 * const inputs = { x: array(new Float32Array(16).fill(1), [2, 8]), y: array(new Float32Array(8), [2, 4]) };
 * const halved = await prune(nn.linear(8, 4), { amount: 0.5, criterion: prune.wanda, calibrate: inputs });
 */
export const wanda = criterion("wanda", ({ weight, inputNorm }) => weight.abs().mul(inputNorm), "row");

/**
 * |w · g| / Σ |w · g| with the gradient of the mean loss: SNIP's sensitivity (Lee et al. 2019), made for a model at its start
 * and compared over all layers. Needs `calibrate` and `loss`.
 */
export const snip = criterion("snip", ({ weight, gradient }) => weight.mul(gradient).abs(), "global"); // the sum is one for all: it changes no order
