// One training step as a program: forward, gradients, optimizer, statistics. `step` feeds it from JavaScript, `fit` from a
// native loop.
// Long because both passes, the update and what goes wrong in them are read from one traced step.
import type { DeviceOption } from "../../device/index.js";
import { ArgumentError, DTypeError, ShapeError, UnsupportedError } from "../../errors.js";
import { uncalled } from "../../guidance/factories.js";
import { got } from "../../names/got.js";
import { call } from "../../native/index.js";
import { Module, type ModuleLike, type NamedParameter } from "../../nn/index.js";
import { bind as bindWhole, BoundOptimizer, type Optimizer } from "../../optim/index.js";
import { Program } from "../../tensor/program.js";
import { countOf, showShape, type NdArray, type Shape } from "../../tensor/nd-array.js";
import { inF32, type DType } from "../../tensor/dtype.js";
import type { Parameter } from "../../tensor/parameter.js";
import { Tensor } from "../../tensor/tensor.js";
import { Trace, within, type StepNumber } from "../../tensor/trace.js";
import { weighted, weightOf } from "../../ops/batch-weight.js";
import type { GradientSums } from "./accumulation.js";
import type { AuxiliaryModules } from "./auxiliary-modules.js";
import { SPIKE, type WatchedLoss } from "./spike-watch.js";
import { COUNT, kindOfLoss, type LossKind } from "./loss-total.js";

/** Name of the input that takes the hyper-parameters of the step. */
export const HYPER = "#hyper";
/** Name of the output with the optimizer's report: gradient norm, clip factor, whether finite, and last what {@link faultOf} reads. */
export const REPORT = "#report";

/** Element type and shape of a batch. */
export interface BatchType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** What a step function returns: the loss, and metrics to be reported with it. */
export type StepOutcome = Tensor | ({ readonly loss: Tensor } & Readonly<Record<string, Tensor>>);

/** A compiled step. */
export interface StepProgram {
  readonly program: Program;
  readonly bound: BoundOptimizer;
  /** How the losses of batches add up. */
  readonly kind: LossKind;
  /** Whether it also gives {@link SPIKE}. */
  readonly watches?: boolean;
  /** Further numbers of the step: schedules in the loss, with the names of their inputs. */
  readonly numbers: readonly { readonly name: string; readonly at: StepNumber }[];
  /** The graph of the step as text, as it was traced. */
  readonly graph: () => string;
  dispose(): void;
}

/** What {@link compileStep} takes. */
export interface StepSource {
  readonly where: string;
  readonly batch: Readonly<Record<string, BatchType>>;
  readonly body: (inputs: Record<string, Tensor>) => StepOutcome;
  readonly auxiliary: AuxiliaryModules;
  /** The optimizer for the parameters of this trace. */
  readonly bound: (trace: Trace) => BoundOptimizer;
  /** Whether the program also gives how many rows the loss counted, as {@link COUNT}, where some may not count. */
  readonly counts?: boolean | undefined;
  /** What the step is compiled for. */
  readonly device?: DeviceOption | undefined;
  /** Adds the gradients to these sums, or closes them: several batches are one step. */
  readonly accumulate?:
    { readonly sums: (bound: BoundOptimizer) => GradientSums; readonly closes: boolean } | undefined;
  /** Looks at the loss: a step whose loss becomes NaN by it is left out. */
  readonly watch?: ((trace: Trace, loss: Tensor) => WatchedLoss) | undefined;
  /** Adds to the graph of the step, by the gradients of the optimizer's parameters. */
  readonly extend?: ((trace: Trace, gradients: ReadonlyMap<Parameter, Tensor>) => void) | undefined;
}

/**
 * The optimizer of a model: of a module's own parameters, or of those that a plain function used while it was traced; and of
 * the run's auxiliary modules.
 *
 * @throws ArgumentError if there is nothing to train.
 */
export function bindModel(
  model: ModuleLike,
  optimizer: Optimizer,
  trace: Trace,
  beside: AuxiliaryModules,
  bind = bindWhole,
): BoundOptimizer {
  const extra = beside.namedParameters();
  for (const { name, parameter } of extra) parameter.name = name;
  if (model instanceof Module) return bind(optimizer, [...model.assignNames().namedParameters(), ...extra]);
  const others = new Set(extra.map(({ parameter }) => parameter));
  const own = trace.usedParameters().filter((parameter) => !others.has(parameter));
  const named = own.map((parameter, i): NamedParameter => {
    if (parameter.name === "") parameter.name = `parameter${i}`;
    return { name: parameter.name, parameter };
  });
  return bind(optimizer, [...named, ...extra]);
}

/**
 * The further numbers of a step.
 *
 * @throws ArgumentError for a schedule that gives no finite number.
 */
export function numbersAt({ numbers, bound }: StepProgram, where: string, step: number, total: number): number[] {
  return numbers.map(({ at }) => {
    const value = at(step, total, bound.stepsPerEpoch);
    if (Number.isFinite(inF32(value))) return value;
    throw new ArgumentError(
      `${where}: a schedule in the loss gives ${value} at step ${step}, expected a number that is finite in f32`,
    );
  });
}

/**
 * What the native loop feeds to `steps` steps from `first` on, a row each: hyper-parameters (groups × width), then the further
 * numbers; and the learning rates.
 */
export function stepRows(program: StepProgram, where: string, first: number, steps: number, total: number) {
  const { bound, numbers } = program;
  const own = bound.hyperShape[0] * bound.hyperShape[1];
  const width = own + numbers.length;
  const hyper = new Float64Array(steps * width);
  const rates = Array.from({ length: steps }, (_, i) => {
    const row = hyper.subarray(i * width, (i + 1) * width);
    bound.writeHyper(row.subarray(0, own), first + i, total);
    row.set(numbersAt(program, where, first + i, total), own);
    return bound.rateAt(first + i, total);
  });
  return { hyper, rates };
}

/**
 * What went wrong in a step by the last number of its report, and what became of the weights; undefined if nothing did.
 *
 * A loss or a gradient that is not finite is seen before anything has changed. An update that is not finite, such as 0 / 0 with
 * `eps: 0` or moments that overflow, is seen while the optimizer passes over the weights: its elements keep their values, all
 * others have moved. No weight ever becomes NaN or infinite.
 */
export function faultOf(
  { bound }: StepProgram,
  code: number,
  loss: number,
): { readonly what: string; readonly weights: string; readonly way: string } | undefined {
  if (code === 0) return undefined;
  if (code === 1) {
    const what = Number.isFinite(loss) ? "a gradient is not finite" : `the loss is ${loss}`;
    const way = "Lower the learning rate, clip gradients (clipNorm: 1), warm up (schedule.warmup) or look at the data";
    return { what, weights: "that step was skipped, the weights are as before it", way };
  }
  const { name } = bound.parameters[code - 2]!;
  return {
    what: `the update of "${name}" is not finite`,
    weights: "the elements concerned kept their values, the others have taken the step",
    way: "Give eps its default where it is 0 or very small, lower the learning rate or clip gradients (clipNorm: 1)",
  };
}

/** What one step is fed, in the order of the program's inputs. */
export function stepFeeds(
  step: StepProgram,
  where: string,
  batch: Readonly<Record<string, NdArray>>,
  index: number,
  total: number,
): NdArray["data"][] {
  const further = numbersAt(step, where, index, total);
  return step.program.inputs.map(({ name, shape }) => {
    if (name === HYPER) {
      const row = new Float64Array(countOf(shape));
      step.bound.writeHyper(row, index, total);
      return row;
    }
    const number = step.numbers.findIndex((candidate) => candidate.name === name);
    return number < 0 ? batch[name]!.data : Float64Array.of(further[number]!);
  });
}

/** Forward pass of a step, as traced. */
export interface TracedForward {
  readonly trace: Trace;
  /** The loss and what is reported with it. */
  readonly metrics: Record<string, Tensor>;
  readonly loss: Tensor;
  readonly kind: LossKind;
  /** How many rows the loss counted, where some may not count. */
  readonly count: Tensor | undefined;
  readonly bound: BoundOptimizer;
}

/** Forward and backward pass of a step, as traced. */
export interface TracedPass extends TracedForward {
  /** By the parameters of the optimizer, in its order. */
  readonly gradients: readonly Tensor[];
}

/** Traces the passes of a step for one signature. @throws what tracing throws, and for a loss that is no number. */
export const tracePasses = (source: StepSource): TracedPass => differentiated(traceForward(source));

/** A forward pass with its backward pass behind it. */
export function differentiated(traced: TracedForward): TracedPass {
  const { trace, loss, bound } = traced;
  const parameters = bound.parameters.map((parameter) => trace.parameter(parameter));
  return { ...traced, gradients: trace.gradients(loss, parameters) };
}

/** Traces the forward pass of a step for one signature. @throws what tracing throws, and for a loss that is no number. */
export function traceForward({ where, batch, body, auxiliary, bound: bindTo, device }: StepSource): TracedForward {
  const trace = new Trace({ training: true, device }, auxiliary);
  const metrics = within(trace, () => {
    const inputs = Object.entries(batch).map(
      ([name, { dtype, shape }]) => [name, trace.input(name, dtype, shape)] as const,
    );
    return figuresOf(where, body(Object.fromEntries(inputs)));
  });
  const loss = metrics.loss!;
  const { kind, count } = kindOfLoss(loss);
  const bound = bindTo(trace);
  checkTrained(where, auxiliary, bound);
  checkUsed(where, trace, bound);
  return { trace, metrics, loss, kind, count, bound };
}

/** Traces and compiles a step for one signature. @throws what tracing throws, and for a loss that is no number. */
export function compileStep(source: StepSource): StepProgram {
  const { where, batch, counts, accumulate, extend, watch } = source;
  const { trace, metrics, loss: own, kind, count, bound, gradients } = tracePasses(source);
  if (counts && count) metrics[COUNT] = count;
  if (accumulate && kind.startsWith("part")) {
    throw new UnsupportedError(
      `${where}: accumulate does not go with distillation beside a loss that leaves labels out or is a sum: its parts count differently; give a batchSize of the whole instead`,
    );
  }
  const watched = watch?.(trace, own);
  const loss = watched?.loss ?? own;
  if (watched) metrics[SPIKE] = watched.spike;
  const weight = kind === "sum" ? "sum" : (count ?? trace.scalar(rowsOf(batch), "f32"));
  const sums = accumulate?.sums(bound);
  const outputs = Object.fromEntries(Object.entries(metrics).map(([name, { id }]) => [name, id]));
  if (accumulate?.closes === false) sums!.add(trace, gradients, weight);
  else {
    const whole = sums ? sums.close(trace, gradients, weight) : gradients;
    extend?.(trace, new Map(bound.parameters.map((parameter, i) => [parameter, whole[i]!])));
    const hyper = trace.input(HYPER, "f64", bound.hyperShape);
    const ids = whole.map(({ id }) => id);
    outputs[REPORT] = call(() => trace.graph.optimizerStep(bound.native, ids, hyper.id, loss.id));
  }
  // A step that is skipped for its loss leaves running statistics alone as well.
  trace.commit(loss.isFinite());
  call(() => trace.graph.setOutputs(Object.keys(outputs), Object.values(outputs)));
  const program = new Program(trace.compile(), where);
  const dispose = () => {
    program.dispose();
    trace.graph.dispose();
  };
  const graph = () => call(() => trace.graph.print("text"));
  return { program, bound, kind, watches: watched !== undefined, numbers: trace.stepNumbers(), graph, dispose };
}

const rowsOf = (batch: StepSource["batch"]): number => Object.values(batch)[0]?.shape[0] ?? 1;

// An optimizer that was bound before knows nothing of what the loss brings.
function checkTrained(where: string, auxiliary: AuxiliaryModules, bound: BoundOptimizer): void {
  const known = new Set(bound.parameters);
  const left = auxiliary.namedParameters().find(({ parameter }) => parameter.trainable && !known.has(parameter));
  if (!left) return;
  throw new ArgumentError(
    `${where}: the loss has parameters of its own (${left.name}), which the bound optimizer does not train; give the optimizer unbound`,
  );
}

function checkUsed(where: string, trace: Trace, bound: BoundOptimizer): void {
  const used = new Set(trace.usedParameters());
  if (bound.parameters.some((parameter) => used.has(parameter))) return;
  throw new ArgumentError(
    `${where}: the loss uses none of the parameters that are trained, so that nothing would be learned; take it from the result of the same model: model.forward(x)`,
  );
}

function outcomeInstead(outcome: unknown): string {
  if (outcome === undefined) return "; is a return missing?";
  if (outcome instanceof Promise) return "; the function is traced, leave out async and await";
  const instead = uncalled(outcome);
  return instead === undefined ? "" : `; ${instead}(prediction, target)`;
}

/** What a step's function returned, by name; the loss as a number that other rows count in. @throws ArgumentError, ShapeError, DTypeError */
export function figuresOf(where: string, outcome: StepOutcome): Record<string, Tensor> {
  if (typeof outcome !== "object" || outcome === null || outcome instanceof Promise) {
    throw new ArgumentError(
      `${where}: the step must return the loss, a Tensor, or a record with a "loss" in it, got ${got(outcome).replace(/;.*/, "")}${outcomeInstead(outcome)}`,
    );
  }
  const metrics: Record<string, unknown> = outcome instanceof Tensor ? { loss: outcome } : { ...outcome };
  for (const [name, value] of Object.entries(metrics)) {
    if (!(value instanceof Tensor)) {
      throw new ArgumentError(`${where}: "${name}" must be a Tensor, got ${got(value)}`);
    }
    if (countOf(value.shape) !== 1) {
      throw new ShapeError(
        `${where}: "${name}" must be one number, got ${showShape(value.shape)}; take its mean() or sum(), or a loss with reduction "mean"`,
      );
    }
  }
  const loss = metrics.loss as Tensor | undefined;
  if (!loss) throw new ArgumentError(`${where}: the step must return the loss, or a record with a "loss" in it`);
  if (loss.dtype !== "f32") throw new DTypeError(`${where}: the loss must be f32, got ${loss.dtype}; cast("f32") it`);
  const single = loss.rank === 0 ? loss : weighted(loss.reshape([]), weightOf(loss));
  return { ...(metrics as Record<string, Tensor>), loss: single };
}
