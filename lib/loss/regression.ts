// Losses of numbers.
import { requireAboveZero } from "../guidance/arguments.js";
import { weighted, weightOf } from "../ops/batch-weight.js";
import { checkLossOptions, fitted, named, reduce, reductionOf, type Loss, type ReductionOption } from "./loss.js";

/**
 * (prediction − target)². Prediction and target of one shape; [N, 1] takes [N].
 *
 * @throws ArgumentError; ShapeError when traced.
 * @example
 * const f = compile(loss.mse());
 * (await f.run(array([1, 2]), array([3, 2]))).item(); // 2
 */
export function mse(options: ReductionOption = {}): Loss {
  checkLossOptions("loss.mse", options, ["reduction"]);
  const reduction = reductionOf("loss.mse", options);
  return named("mse", (prediction, target) =>
    reduce(prediction.sub(fitted("mse", prediction, target)).square(), reduction),
  );
}

/**
 * |prediction − target|. Prediction and target of one shape; [N, 1] takes [N].
 *
 * @throws ArgumentError; ShapeError when traced.
 */
export function mae(options: ReductionOption = {}): Loss {
  checkLossOptions("loss.mae", options, ["reduction"]);
  const reduction = reductionOf("loss.mae", options);
  return named("mae", (prediction, target) =>
    reduce(prediction.sub(fitted("mae", prediction, target)).abs(), reduction),
  );
}

export { mae as l1 };

/** Options of {@link huber}. */
export interface HuberOptions extends ReductionOption {
  /** Where the parabola becomes a line. Default 1. */
  readonly delta?: number | undefined;
}

/**
 * ½ d² up to |d| = delta and delta (|d| − ½ delta) beyond, d = prediction − target (Huber 1964).
 *
 * @throws ArgumentError; ShapeError when traced.
 * @example
 * const f = compile(loss.huber({ delta: 2, reduction: "none" }));
 * (await f.run(array([1, 5]), array([0, 0]))).toArray(); // [0.5, 8]
 */
export function huber(options: HuberOptions = {}): Loss {
  checkLossOptions("loss.huber", options, ["reduction", "delta"]);
  const reduction = reductionOf("loss.huber", options);
  const { delta = 1 } = options;
  requireAboveZero("loss.huber", "delta", delta);
  return named("huber", (prediction, target) => {
    const d = prediction.sub(fitted("huber", prediction, target)).abs();
    const near = d.minimum(delta);
    // near (d − ½ near): ½ d² where near = d, delta (d − ½ delta) beyond
    return reduce(near.mul(d.sub(near.mul(0.5))), reduction);
  });
}

/** Options of {@link smoothL1}. */
export interface SmoothL1Options extends ReductionOption {
  /** Where the parabola becomes a line. Default 1. */
  readonly beta?: number | undefined;
}

/**
 * ½ d² / beta up to |d| = beta and |d| − ½ beta beyond: the Huber loss divided by beta, as torch.nn.SmoothL1Loss.
 *
 * @throws ArgumentError; ShapeError when traced.
 */
export function smoothL1(options: SmoothL1Options = {}): Loss {
  checkLossOptions("loss.smoothL1", options, ["reduction", "beta"]);
  const { beta = 1, ...rest } = options;
  requireAboveZero("loss.smoothL1", "beta", beta);
  const inner = huber({ ...rest, delta: beta });
  return named("smoothL1", (prediction, target) => {
    fitted("smoothL1", prediction, target);
    const loss = inner(prediction, target);
    return weighted(loss.div(beta), weightOf(loss));
  });
}
