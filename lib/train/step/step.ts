// A training step for loops of the user's own: any function of tensors that ends in a loss.
import { requireCount } from "../../guidance/arguments.js";
import { deviceName, type DeviceName } from "../../device/index.js";
import { RunState } from "../../checkpoint/index.js";
import { ArgumentError, DisposedError, NonFiniteError, checkOptions } from "../../errors.js";
import { Module, requireModule, type ModuleLike } from "../../nn/module.js";
import type { NamedParameter } from "../../nn/named-parameter.js";
import { BoundOptimizer, type Optimizer } from "../../optim/index.js";
import { isArrayOf, NdArray, showShape } from "../../tensor/nd-array.js";
import { Chain } from "../../tensor/program.js";
import { defaultPrograms, ProgramCache } from "../../tensor/program-cache.js";
import { prefetch } from "./prefetch.js";
import { checkIterable, checkOptimizer, requireBatch } from "./checks.js";
import { AuxiliaryModules } from "./auxiliary-modules.js";
import type { Batch, BatchTensors, StepMetrics, TrainStepOptions, XY } from "./step-types.js";
import { optimizerOf, parametersOf } from "../run/participants.js";
import {
  bindModel,
  compileStep,
  faultOf,
  REPORT,
  stepFeeds,
  type BatchType,
  type StepOutcome,
  type StepProgram,
} from "./step-program.js";

/** A step that can be run; made by {@link step}. */
export class TrainStep<Inputs extends BatchTensors | XY, Outcome extends StepOutcome> {
  private readonly model: ModuleLike;
  private readonly optimizer: Optimizer | BoundOptimizer;
  private readonly body: (batch: Inputs) => Outcome;
  private readonly seed: number;
  private readonly device: DeviceName | undefined;
  private readonly total: number;
  private readonly programs: ProgramCache<StepProgram>;
  private disposed = false;
  private recent: { readonly types: Readonly<Record<string, BatchType>>; readonly made: StepProgram } | undefined;
  private readonly auxiliary: AuxiliaryModules;
  private held: BoundOptimizer | undefined;
  private taken = 0;
  /** The step that was begun last. */
  private last: Promise<unknown> = Promise.resolve();
  private pending: Promise<void> | undefined;
  private restoring: ((state: RunState) => Promise<void>) | undefined;

  /** @internal See {@link step}. */
  constructor(
    model: ModuleLike,
    optimizer: Optimizer | BoundOptimizer,
    body: (batch: Inputs) => Outcome,
    options: TrainStepOptions,
  ) {
    this.model = model;
    this.optimizer = optimizer;
    this.body = body;
    this.seed = options.seed ?? 0;
    this.total = options.steps ?? Infinity;
    this.device = deviceName("train.step", options.device);
    this.programs = new ProgramCache(options.maxPrograms ?? defaultPrograms);
    this.auxiliary = new AuxiliaryModules(this.seed);
    if (optimizer instanceof BoundOptimizer) this.held = optimizer;
    this.taken = this.held?.steps ?? 0;
  }

  /** The optimizer with its states, from the first step on. */
  get bound(): BoundOptimizer | undefined {
    return this.held;
  }

  /** Steps begun. */
  get steps(): number {
    return this.taken;
  }

  /**
   * Takes one step, off the event loop. A program is kept for every signature (names, shapes and element types) of a
   * batch, up to `maxPrograms`.
   *
   * @throws what tracing throws; NonFiniteError for a loss or gradient that is not finite, with the weights unchanged, and for
   *   an update that is not finite, whose elements keep their values; AbortedError when the signal fires, with the weights
   *   unchanged; DisposedError.
   */
  async run(
    batch: { readonly [Name in keyof Inputs]: NdArray },
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<StepMetrics<Outcome>> {
    // What is no object of options is told by the batch that came before it.
    if (typeof options === "object" && options !== null && !("dtype" in options))
      checkOptions("train.step: run", options, ["signal"]);
    return this.take(batch, (options as { signal?: AbortSignal } | null)?.signal);
  }

  /**
   * Takes a step for every batch and gives their metrics in order, one step ahead of the reader: while a step runs, the next
   * batch is asked for and copied, and no time passes between two steps. The weights, and `steps`, are thus those of up to one
   * step more than the metrics given last; leaving the loop, or reading a weight, waits for that step.
   *
   * @param batches an array, a generator, anything to iterate over, also asynchronously.
   * @throws what {@link run} throws, and what `batches` throws, each in its turn; the steps after it are not taken.
   * @example
   * const model = nn.linear(3, 1);
   * const step = train.step(model, optim.sgd({ lr: 0.1 }), ({ x, y }) => loss.mse()(model.forward(x), y));
   * const batches = [0, 1, 2].map((i) => ({ x: array([i, 2, 3], [1, 3]), y: array([1], [1, 1]) }));
   * for await (const { loss: value } of step.over(batches)) console.log(value);
   * step.dispose();
   */
  over(
    batches:
      | Iterable<{ readonly [Name in keyof Inputs]: NdArray }>
      | AsyncIterable<{ readonly [Name in keyof Inputs]: NdArray }>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<StepMetrics<Outcome>, void, void> {
    checkIterable(batches);
    checkOptions("train.step: over", options, ["signal"]);
    const chain = new Chain(REPORT);
    return prefetch(batches, (batch) => this.take(batch, options.signal, chain));
  }

  /** @internal The model, for what is kept of it. */
  get parameters(): readonly NamedParameter[] {
    const { model } = this;
    if (model instanceof Module) return model.assignNames().namedParameters();
    return (this.held?.parameters ?? []).map((parameter) => ({ name: parameter.name, parameter }));
  }

  /** @internal Resolves when no step is under way, with all that the steps have come to. */
  async settled(): Promise<RunState> {
    await this.last.catch(() => {});
    return this.state();
  }

  /** @internal Goes on from a checkpoint, with the first batch, whose trace makes the optimizer's states. */
  resumeBy(steps: number, restore: (state: RunState) => Promise<void>): void {
    this.taken = steps;
    this.restoring = restore;
  }

  private state(): RunState {
    const state = new RunState().add(
      "model",
      parametersOf(() => this.parameters),
    );
    if (this.held) state.add("optimizer", optimizerOf(this.held));
    return state.add(
      "auxiliary",
      parametersOf(() => this.auxiliary.namedParameters()),
    );
  }

  private take(batch: unknown, signal?: AbortSignal, chain?: Chain): Promise<StepMetrics<Outcome>> {
    const taking = this.takeOne(batch, signal, chain);
    this.last = taking;
    return taking;
  }

  private async takeOne(batch: unknown, signal?: AbortSignal, chain?: Chain): Promise<StepMetrics<Outcome>> {
    const made = this.programFor(batch);
    if (this.restoring) {
      this.pending = this.restoring(this.state());
      this.restoring = undefined;
    }
    if (this.pending) await this.pending;
    const index = this.taken++;
    const feeds = stepFeeds(made, "train.step", batch as Batch, index, this.total);
    try {
      const results = await made.program.runValues(feeds, { signal, seed: this.seed, step: index, chain });
      return this.metrics(made, results, index);
    } catch (thrown) {
      // Behind one that failed, it has not begun.
      if (chain?.hasFailed) this.taken--;
      if (chain) chain.hasFailed = true;
      throw thrown;
    }
  }

  private metrics(made: StepProgram, results: readonly NdArray["data"][], index: number): StepMetrics<Outcome> {
    const numbers: Record<string, number> = {};
    let [norm, code]: (number | undefined)[] = [];
    made.program.outputs.forEach(({ name }, i) => {
      if (name === REPORT) [norm, , , code] = results[i]!;
      else numbers[name] = results[i]![0]!;
    });
    const fault = faultOf(made, code!, numbers.loss!);
    if (fault) {
      const { what, weights, way } = fault;
      const lr = made.bound.rateAt(index, this.total);
      throw new NonFiniteError(`train.step: ${what} at step ${index} (lr ${lr}); ${weights}. ${way}`);
    }
    if (!Number.isNaN(norm)) numbers.gradNorm = norm!;
    return numbers as unknown as StepMetrics<Outcome>;
  }

  /** Frees programs and optimizer states; the model keeps its weights, and the step cannot be taken any more. */
  dispose(): void {
    this.disposed = true;
    this.programs.dispose();
    this.recent = undefined;
    this.auxiliary.dispose();
    if (!(this.optimizer instanceof BoundOptimizer)) {
      this.held?.dispose();
      this.held = undefined;
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private programFor(batch: unknown): StepProgram {
    const { recent } = this;
    if (recent && isOf(recent.types, batch)) return recent.made;
    const made = this.findProgram(batch);
    const types = Object.entries(batch as Batch).map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const);
    this.recent = { types: Object.fromEntries(types), made };
    return made;
  }

  private findProgram(batch: unknown): StepProgram {
    const where = "train.step";
    if (this.disposed) {
      throw new DisposedError(`${where}: the step was disposed, and its optimizer's state with it; make a new one`);
    }
    requireBatch(where, batch);
    const entries = Object.entries(batch as Batch);
    const key = entries.map(([name, { dtype, shape }]) => `${name}:${dtype}${showShape(shape)}`).join(" ");
    const known = this.programs.get(key);
    if (known) return known;
    const made = compileStep({
      where,
      batch: batch as Batch,
      body: (inputs) => this.body(inputs as unknown as Inputs),
      bound: (trace) => (this.held ??= bindModel(this.model, this.optimizer as Optimizer, trace, this.auxiliary)),
      auxiliary: this.auxiliary,
      device: this.device,
    });
    // A program that makes room may be the one used last.
    this.recent = undefined;
    this.programs.set(key, made);
    return made;
  }
}

/**
 * A training step over a function of your own: it gets the batch as tensors and returns the loss, or a record with `loss` and
 * further single metrics. Gradients, optimizer and running statistics are one compiled program with it.
 *
 * Only parameters of `model` are trained, whatever else the function uses. A batch has `x` and `y`; one with other names is
 * annotated: `({ tokens }: { tokens: Tensor }) => …`.
 *
 * @throws ArgumentError if the model has nothing to train.
 * @example
 * const model = nn.linear(3, 1);
 * const step = train.step(model, optim.sgd({ lr: 0.1 }), ({ x, y }) => loss.mse()(model.forward(x), y));
 * const { loss: value } = await step.run({ x: array([1, 2, 3], [1, 3]), y: array([1], [1, 1]) });
 * step.dispose(); // or, in TypeScript and from Node 24 on: using step = …
 */
export function step<Outcome extends StepOutcome, Inputs extends BatchTensors | XY = XY>(
  model: ModuleLike,
  optimizer: Optimizer | BoundOptimizer,
  body: (batch: Inputs) => Outcome,
  options: TrainStepOptions = {},
): TrainStep<Inputs, Outcome> {
  const where = "train.step";
  requireModule(where, model);
  checkOptimizer(where, optimizer);
  if (typeof body !== "function")
    throw new ArgumentError(`${where}: expected a function of the batch that returns the loss`);
  checkOptions(where, options, ["seed", "steps", "maxPrograms", "device"]);
  if (options.steps !== undefined) requireCount(where, "steps", options.steps);
  if (options.maxPrograms !== undefined) requireCount(where, "maxPrograms", options.maxPrograms);
  requireCount(where, "seed", options.seed ?? 0, 0);
  return new TrainStep(model, optimizer, body, options);
}

/** Whether a batch has arrays of these types, and nothing else. */
function isOf(types: Readonly<Record<string, BatchType>>, batch: unknown): boolean {
  if (typeof batch !== "object" || batch === null) return false;
  const entries = Object.entries(batch);
  if (entries.length !== Object.keys(types).length) return false;
  return entries.every(([name, value]: [string, unknown]) => {
    const type = types[name];
    return type && isArrayOf(value, type.dtype, type.shape);
  });
}
