// Cross-entropy of class scores: −log softmax(scores)[label], with the log-sum-exp taken from the scores, never from the
// probabilities.
import { requireCount, requireOneOf, requireWithin } from "../guidance/arguments.js";
import { checkOptions, ShapeError } from "../errors.js";
import { wholeNumbers } from "../tensor/composed.js";
import { showShape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { weighted } from "./batch-weight.js";
import { gatheredCrossEntropy } from "./gathered-cross-entropy.js";
import { requireTensor } from "./require.js";

/** What becomes of the losses of a batch: their mean, their sum, or all of them. */
export type Reduction = "mean" | "sum" | "none";

/** Every {@link Reduction}. */
export const reductions: readonly Reduction[] = ["mean", "sum", "none"];

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Share of the truth that is spread evenly over all classes (Szegedy et al. 2016). Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** A label whose rows do not count. Default none. */
  readonly ignoreIndex?: number | undefined;
  /** The mean is over the rows that count; 0 if none does. Default "mean". */
  readonly reduction?: Reduction | undefined;
}

/**
 * Cross-entropy of logits f32 […, C] with labels […], whole numbers in any element type, or with target probabilities f32 […, C].
 *
 * @returns one number, or […] with reduction "none".
 * @throws ShapeError, DTypeError, ArgumentError; ArgumentError when run, for a label that is no class, naming its row.
 * @example
 * const f = compile((x: Tensor, y: Tensor) => ops.crossEntropy(x, y).exp());
 * (await f.run(array([0, 0, 0, 0], [1, 4]), array(Int32Array.of(2)))).item(); // 4
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkCrossEntropy("crossEntropy", options);
  requireTensor("crossEntropy", "logits", logits);
  requireTensor("crossEntropy", "target", target);
  const { labelSmoothing = 0, ignoreIndex, reduction = "mean" } = options;
  const isFloat = target.dtype !== "i32" && target.dtype !== "u8";
  if (isFloat && target.rank >= logits.rank) {
    return withProbabilities(logits, target.cast("f32"), labelSmoothing, reduction);
  }
  const given = labelsFor("crossEntropy", logits, target);
  const lead = given.shape;
  const classes = logits.shape.at(-1)!;
  const rows = logits.rank === 2 ? logits : logits.reshape([-1, classes]);
  const labels = given.rank === 1 ? given : given.reshape([-1]);
  const gathered = logits.trace.gathered.get(logits);
  const { losses, counted } = gathered
    ? gatheredCrossEntropy(gathered, labels.cast("i32"), { smoothing: labelSmoothing, ignoreIndex })
    : wholeCrossEntropy(rows, labels, labelSmoothing, ignoreIndex);
  if (reduction === "none") return lead.length === 1 ? losses : losses.reshape(lead);
  if (reduction === "sum") return weighted(losses.sum(), "sum");
  if (ignoreIndex === undefined) return losses.mean();
  const count = counted.stopGradient();
  return weighted(losses.sum().div(count.maximum(1)), count);
}

function wholeCrossEntropy(rows: Tensor, labels: Tensor, smoothing: number, ignoreIndex: number | undefined) {
  const [losses, , counted] = rows.trace.applyMany("cross_entropy", [rows, labels], 3, {
    smoothing,
    ...(ignoreIndex === undefined ? {} : { ignore_index: ignoreIndex }),
  });
  return { losses: losses!, counted: counted! };
}

/** Checks the options of a cross-entropy. @throws ArgumentError */
export function checkCrossEntropy(where: string, options: CrossEntropyOptions): void {
  checkOptions(where, options, ["labelSmoothing", "ignoreIndex", "reduction"]);
  const { labelSmoothing = 0, ignoreIndex, reduction = "mean" } = options;
  requireWithin(where, "labelSmoothing", labelSmoothing, 0, 1);
  requireOneOf(where, "reduction", reduction, reductions);
  if (ignoreIndex !== undefined) requireCount(where, "ignoreIndex", ignoreIndex, -(2 ** 31));
}

/**
 * Class numbers for scores […, C], as i32 or u8; of floats a run takes whole numbers alone.
 *
 * @throws ShapeError
 */
export function labelsFor(where: string, scores: Tensor, labels: Tensor): Tensor {
  const lead = scores.shape.slice(0, -1);
  if (scores.rank === 0 || showShape(lead) !== showShape(labels.shape)) {
    throw new ShapeError(
      scores.rank < 1 || (where === "crossEntropy" && scores.rank < 2)
        ? `${where}: logits must be […, classes], got ${showShape(scores.shape)}`
        : `${where}: labels ${showShape(labels.shape)} do not fit logits ${showShape(scores.shape)}, expected ${showShape(lead)}${labelsInstead(scores, labels)}`,
    );
  }
  return wholeNumbers(labels, `${where}: labels`);
}

function labelsInstead(logits: Tensor, labels: Tensor): string {
  const lead = showShape(logits.shape.slice(0, -1));
  if (showShape(logits.shape) === showShape(labels.shape)) {
    return "; rows of 0 and 1 (one-hot) go in as f32, class numbers have one number a row";
  }
  return showShape(labels.shape) === showShape([...logits.shape.slice(0, -1), 1]) ? `; reshape them to ${lead}` : "";
}

// −Σ t log softmax(x), with the target smoothed as labels are.
function withProbabilities(logits: Tensor, target: Tensor, smoothing: number, reduction: Reduction): Tensor {
  if (showShape(logits.shape) !== showShape(target.shape) || logits.rank < 1) {
    throw new ShapeError(
      `crossEntropy: target probabilities must have the shape of the logits ${showShape(logits.shape)}, got ${showShape(target.shape)}${target.rank === logits.rank - 1 ? "; class numbers are integers: array(Int32Array.from(labels))" : ""}`,
    );
  }
  const classes = logits.shape.at(-1)!;
  const smooth = smoothing === 0 ? target : target.mul(1 - smoothing).add(smoothing / classes);
  const losses = logits.logSoftmax().mul(smooth).sum(-1).neg();
  return reduction === "none" ? losses : reduction === "sum" ? weighted(losses.sum(), "sum") : losses.mean();
}
