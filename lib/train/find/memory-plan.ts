// What memory a run will take, as the engine plans it: without a step being taken.
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import type { BatchSource, Samples } from "../../data/index.js";
import type { Loss } from "../../loss/index.js";
import { Module } from "../../nn/index.js";
import type { BoundOptimizer, Optimizer } from "../../optim/index.js";
import { sizeOf, type DType } from "../../tensor/dtype.js";
import { typesOfData } from "../data/run-data.js";
import { planFit } from "../fit-options.js";
import { AuxiliaryModules } from "../step/auxiliary-modules.js";
import { passesOf } from "../step/step-loops.js";
import { bindModel, compileStep } from "../step/step-program.js";

/** Options of {@link planMemory}. */
export interface MemoryPlanOptions {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Samples a step. Default 32. */
  readonly batchSize?: number | undefined;
}

/** Bytes that a run takes beside its samples. */
export interface MemoryPlan {
  /** The parameters and running statistics. */
  readonly parameters: number;
  /** The optimizer's states. */
  readonly optimizer: number;
  /** A step: activations, gradients and what kernels ask for. */
  readonly step: number;
  readonly total: number;
}

const bytesOf = (dtype: DType, count: number): number => count * sizeOf[dtype];

/**
 * What `train.fit` with these options takes beside its samples, in bytes. A copy of the model is compiled; nothing is run.
 *
 * @throws what `train.fit` throws for model, samples and options that do not fit.
 * @example
 * const set = data.fromArrays({ x: array(new Float32Array(256), [64, 4]), y: array(new Uint8Array(64)) });
 * const plan = train.planMemory(nn.linear(4, 2), set, { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 1e-3 }) });
 * console.log(plan.parameters, plan.optimizer, plan.step); // 40, 80, what a step over 32 samples takes
 */
export function planMemory(model: Module, dataset: Samples | BatchSource, options: MemoryPlanOptions): MemoryPlan {
  const where = "train.planMemory";
  checkOptions(where, options, ["loss", "optimizer", "batchSize"]);
  if (!(model instanceof Module)) throw new ArgumentError(`${where}: expected a module of nn, got ${got(model)}`);
  const { loss, optimizer, batchSize = 32 } = options;
  const copy = model.clone();
  const planner = stepPlanner(where, copy, dataset, loss, optimizer);
  try {
    const { batchSize: rows } = planFit(copy, dataset, { loss, optimizer, batchSize, steps: 1 });
    const step = planner.bytes(rows);
    const parameters = copy.namedParameters().reduce((sum, { parameter: { dtype, size } }) => sum + bytesOf(dtype, size), 0); // prettier-ignore
    const states = planner.bound!.native.states.reduce((sum, { type: { dtype, shape } }) => sum + bytesOf(dtype, shape.reduce((a, b) => a * b, 1)), 0); // prettier-ignore
    return { parameters, optimizer: states, step, total: parameters + states + step };
  } finally {
    planner.dispose();
    copy.dispose();
  }
}

/** The planned bytes of a compiled step over so many rows. */
export interface StepPlanner {
  bytes(rows: number): number;
  /** From the first step on. */
  readonly bound: BoundOptimizer | undefined;
  dispose(): void;
}

/** @throws what tracing throws */
export function stepPlanner(
  where: string,
  model: Module,
  dataset: Samples | BatchSource,
  loss: Loss,
  optimizer: Optimizer,
): StepPlanner {
  const plan = planFit(model, dataset, { loss, optimizer, batchSize: 1, steps: 1 });
  const auxiliary = new AuxiliaryModules(0);
  let bound: BoundOptimizer | undefined;
  return {
    bytes(rows) {
      const source = { where, plan, columns: typesOfData(plan.dataset), auxiliary, hooks: {} };
      const step = compileStep({
        ...passesOf(source, rows),
        bound: (trace) => (bound ??= bindModel(model, optimizer, trace, auxiliary)),
      });
      const { arenaBytes } = step.program.report();
      step.dispose();
      return arenaBytes;
    },
    get bound() {
      return bound;
    },
    dispose() {
      bound?.dispose();
      auxiliary.dispose();
    },
  };
}
