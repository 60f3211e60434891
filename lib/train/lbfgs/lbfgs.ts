// L-BFGS with a line search that meets the strong Wolfe conditions (Nocedal 1980; Nocedal and Wright 2006): a loop of its own over the value
// and the gradient of one function of all parameters, as it wants several evaluations a step. Step for step torch.optim.LBFGS of
// PyTorch 2.13 with line_search_fn="strong_wolfe"; directions and products in f64.
import { ArgumentError, checkOptions, NonFiniteError } from "../../errors.js";
import { requireAboveZero, requireCount, requireWithin } from "../../guidance/arguments.js";
import { requireModule, type Module } from "../../nn/module.js";
import { got } from "../../names/got.js";
import type { NdArray } from "../../tensor/nd-array.js";
import type { Tensor } from "../../tensor/tensor.js";
import { requireBatch } from "../step/checks.js";
import type { BatchTensors, XY } from "../step/step-types.js";
import { addTo, Curvature, dot, largest } from "./curvature.js";
import { searchLine, type LinePoint } from "./line-search.js";
import { Objective } from "./objective.js";

/** Options of {@link lbfgs}. */
export interface LbfgsOptions {
  /** The first length tried along every direction. Default 1. */
  readonly lr?: number | undefined;
  /** Default 100. */
  readonly maxIterations?: number | undefined;
  /** Of the function and its gradient together. Default 1.25 times `maxIterations`, and 10. */
  readonly maxEvaluations?: number | undefined;
  /** Steps that curvature is remembered of: two values a parameter each, in f64. Default 100. */
  readonly history?: number | undefined;
  /** Ends where no element of the gradient is larger. Default 1e-7. */
  readonly toleranceGradient?: number | undefined;
  /** Ends where the loss, or no parameter, changes by more. Default 1e-9. */
  readonly toleranceChange?: number | undefined;
  /** Ends the search with an AbortError; the parameters are those of the last iteration that was finished. */
  readonly signal?: AbortSignal | undefined;
  /** Called after every iteration. */
  readonly onIteration?: ((iteration: LbfgsIteration) => void) | undefined;
}

/** An iteration of {@link lbfgs}. */
export interface LbfgsIteration {
  /** From 1. */
  readonly iteration: number;
  readonly loss: number;
  /** So far. */
  readonly evaluations: number;
  /** The largest element of the gradient. */
  readonly gradient: number;
}

/** What {@link lbfgs} came to. */
export interface LbfgsResult {
  readonly loss: number;
  readonly iterations: number;
  readonly evaluations: number;
  /** Why it ended: the gradient or the change was within its tolerance, there were no iterations or evaluations left. */
  readonly stopped: "gradient" | "change" | "iterations" | "evaluations";
}

/**
 * Minimizes a function of all trainable parameters of a model over one batch, which should be the whole of a small data set. Layers work as
 * in evaluation: without dropout, with running statistics as they stand. Pruned weights stay 0.
 *
 * @throws what tracing throws; NonFiniteError where loss or gradient are not finite at first; ArgumentError; AbortError.
 * @example
 * const model = nn.linear(3, 1);
 * const batch = { x: array([1, 2, 3, 0, 1, 0, 2, 2, 1, 1, 0, 0], [4, 3]), y: array([1, 0, 2, 1], [4, 1]) };
 * const { loss: value, stopped } = await train.lbfgs(model, batch, ({ x, y }) => loss.mse()(model.forward(x), y));
 * console.log(value, stopped); // about 0, "gradient"
 */
export async function lbfgs<Inputs extends BatchTensors | XY = XY>(
  model: Module,
  batch: { readonly [Name in keyof Inputs]: NdArray },
  body: (batch: Inputs) => Tensor,
  options: LbfgsOptions = {},
): Promise<LbfgsResult> {
  const where = "train.lbfgs";
  requireModule(where, model);
  requireBatch(where, batch);
  if (typeof body !== "function")
    throw new ArgumentError(`${where}: expected a function of the batch that returns the loss`);
  const settings = read(where, options);
  const objective = new Objective(where, model, batch, body as (batch: BatchTensors) => Tensor, options.signal);
  try {
    return await minimize(where, objective, settings);
  } finally {
    objective.dispose();
  }
}

interface Settings {
  readonly lr: number;
  readonly maxIterations: number;
  readonly maxEvaluations: number;
  readonly history: number;
  readonly toleranceGradient: number;
  readonly toleranceChange: number;
  readonly onIteration: (iteration: LbfgsIteration) => void;
}

function read(where: string, options: LbfgsOptions): Settings {
  checkOptions(where, options, ["lr", "maxIterations", "maxEvaluations", "history", "toleranceGradient", "toleranceChange", "signal", "onIteration"]); // prettier-ignore
  const { lr = 1, maxIterations = 100, history = 100, toleranceGradient = 1e-7, toleranceChange = 1e-9 } = options;
  const { maxEvaluations = Math.floor(maxIterations * 1.25) + 10, onIteration = () => {} } = options;
  for (const [name, value] of Object.entries({ maxIterations, maxEvaluations, history }))
    requireCount(where, name, value);
  for (const [name, value] of Object.entries({ toleranceGradient, toleranceChange }))
    requireWithin(where, name, value, 0, Infinity);
  requireAboveZero(where, "lr", lr);
  if (typeof onIteration !== "function") {
    throw new ArgumentError(`${where}: onIteration must be a function, got ${got(onIteration)}`);
  }
  return { lr, maxIterations, maxEvaluations, history, toleranceGradient, toleranceChange, onIteration };
}

async function minimize(where: string, objective: Objective, settings: Settings): Promise<LbfgsResult> {
  const { lr, maxIterations, maxEvaluations, toleranceGradient, toleranceChange } = settings;
  const curvature = new Curvature(settings.history);
  let now = await objective.evaluate(objective.start);
  let evaluations = 1;
  if (!Number.isFinite(now.value) || !now.gradient.every(Number.isFinite)) {
    throw new NonFiniteError(`${where}: the loss or its gradient is not finite at first; the weights are unchanged`);
  }
  const ended = (iterations: number, stopped: LbfgsResult["stopped"]): LbfgsResult => ({
    loss: now.value,
    iterations,
    evaluations,
    stopped,
  });
  if (largest(now.gradient) <= toleranceGradient) return ended(0, "gradient");
  let direction: Float64Array = now.gradient.map((g) => -g);
  for (let iteration = 1; ; iteration++) {
    const { at: x, gradient } = now;
    const slope = dot(gradient, direction);
    if (slope > -toleranceChange) return ended(iteration - 1, "change");
    const sum = gradient.reduce((total, g) => total + Math.abs(g), 0);
    const start: LinePoint = { at: 0, value: now.value, slope, gradient };
    const found = await searchLine({
      start,
      first: iteration === 1 ? Math.min(1, 1 / sum) * lr : lr,
      reach: largest(direction),
      least: toleranceChange,
      most: Math.max(0, maxEvaluations - evaluations),
      evaluate: async (at) => {
        const point = await objective.evaluate(along(x, direction, at));
        return { at, value: point.value, slope: dot(point.gradient, direction), gradient: point.gradient };
      },
    });
    evaluations += found.evaluations;
    const before = now;
    now = { at: objective.rounded(along(x, direction, found.point.at)), value: found.point.value, gradient: found.point.gradient }; // prettier-ignore
    objective.accept(now.at);
    const step = now.at.map((value, i) => value - before.at[i]!);
    const most = largest(now.gradient);
    settings.onIteration({ iteration, loss: now.value, evaluations, gradient: most });
    if (most <= toleranceGradient) return ended(iteration, "gradient");
    if (iteration === maxIterations) return ended(iteration, "iterations");
    if (evaluations >= maxEvaluations) return ended(iteration, "evaluations");
    if (largest(step) <= toleranceChange) return ended(iteration, "change");
    if (Math.abs(now.value - before.value) < toleranceChange) return ended(iteration, "change");
    curvature.add(step, now.gradient.map((g, i) => g - before.gradient[i]!)); // prettier-ignore
    direction = await curvature.direction(now.gradient);
  }
}

function along(x: Float64Array, direction: Float64Array, at: number): Float64Array {
  const moved = x.slice();
  addTo(moved, direction, at);
  return moved;
}
