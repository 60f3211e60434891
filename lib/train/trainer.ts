// The course of a run: chunks of steps in the engine, events out, validation, early stopping, and one way out that leaves the
// weights whole and, where asked for, the best.
// Long because a step, a chunk, a check and every way out share what the run has come to.
import { RunState, type Json, type Participant } from "../checkpoint/index.js";
import { AbortedError, NonFiniteError } from "../errors.js";
import { addon, call, callAsync, type NativeDataset, type NativeLoop } from "../native/index.js";
import { feed, Module, type NamedParameter } from "../nn/index.js";
import { BoundOptimizer } from "../optim/index.js";
import type { NdArray } from "../tensor/nd-array.js";
import type { Parameter } from "../tensor/parameter.js";
import { aborted } from "../tensor/program.js";
import { noteInput } from "../tensor/signature.js";
import { Best } from "./best.js";
import type { Cancellation } from "./cancellation.js";
import { Checkpointer, type CheckpointMoment } from "./checkpointer.js";
import { Companions } from "./companions.js";
import { Evaluator } from "./evaluator.js";
import type { EpochRecord, Figures, FitPlan, FitResult, StepEvent, ValidationRecord } from "./fit-options.js";
import { number } from "./format.js";
import type { FitHooks } from "./hooks.js";
import { identityOf } from "./identity.js";
import { COUNT, LossTotal, type LossKind, type LossTotalState } from "./loss-total.js";
import { MetricPass } from "./metric-pass.js";
import { Pace } from "./pace.js";
import { optimizerOf, parametersOf } from "./participants.js";
import { progress, type Progress } from "./progress.js";
import type { RunContext } from "./run.js";
import { interruption, SignalReason } from "./signals.js";
import { checkStatistics } from "./statistics.js";
import { bindModel, compileStep, faultOf, HYPER, REPORT, stepRows, type StepProgram } from "./step-program.js";

const where = "train.fit";
// A row of records: the loss, the four numbers of the report, and what the loss counted where that is not every row.
const RECORD = ["loss", REPORT];
const WIDTH = 5;

interface Records {
  readonly losses: LossTotalState;
  readonly history: EpochRecord[];
  readonly validations: ValidationRecord[];
}

interface Part {
  readonly step: StepProgram;
  readonly loop: NativeLoop;
}

/** One run of `fit`. */
export class Trainer {
  private readonly plan: FitPlan;
  private readonly cancellation: Cancellation;
  private readonly context: RunContext<StepEvent>;
  private readonly pace = new Pace();
  private readonly display: Progress;
  /** What every step is fed a batch of: x, y and what distillation adds. */
  private readonly columns: Readonly<Record<string, NdArray>>;
  private readonly companions: Companions;
  private readonly dataset: NativeDataset;
  private readonly parts: Part[] = []; // full batches, then the short one
  private readonly evaluator: Evaluator | undefined;
  private readonly best: Best;
  private bound: BoundOptimizer | undefined;
  private readonly history: EpochRecord[] = [];
  private readonly validations: ValidationRecord[] = [];
  private readonly hooks: FitHooks;
  private step: number;
  private losses = new LossTotal();
  /** The last validation of this epoch. */
  private validated: Partial<Figures> = {};
  /** Why the run of a checkpoint had ended, if it had. */
  private ended: FitResult["stopped"] | undefined;
  private checkpointer: Checkpointer | undefined;

  /**
   * Compiles everything that the run needs.
   *
   * @param hooks what takes part between the steps.
   * @param columns what is gathered with x and y.
   * @throws what tracing throws; nothing has been changed then.
   */
  constructor(
    plan: FitPlan,
    cancellation: Cancellation,
    context: RunContext<StepEvent>,
    hooks: FitHooks = {},
    columns: Readonly<Record<string, NdArray>> = {},
  ) {
    this.plan = plan;
    this.cancellation = cancellation;
    this.context = context;
    this.hooks = hooks;
    this.step = hooks.firstStep ?? 0;
    const { dataset, model, batchSize, stepsPerEpoch, validate } = plan;
    const { x, y } = dataset;
    this.columns = { x, y, ...columns };
    this.companions = new Companions(plan.seed);
    this.dataset = call(
      () =>
        new addon.Dataset(
          Object.entries(this.columns).map(([name, { dtype, shape, data }]) => ({ name, dtype, shape, data })),
        ),
    );
    try {
      this.parts.push(this.compile(batchSize));
      const rest = dataset.length % batchSize;
      if (rest > 0 && stepsPerEpoch * batchSize > dataset.length) this.parts.push(this.compile(rest));
      this.evaluator =
        validate &&
        new Evaluator({
          where: `${where}: validate`,
          model,
          x: validate.on.x,
          y: validate.on.y,
          loss: plan.loss,
          batchSize: validate.batchSize,
          collect: Object.keys(validate.metrics).length > 0,
        });
      this.best = new Best(plan.stopping, validate !== undefined, this.state());
    } catch (thrown) {
      this.dispose();
      throw thrown;
    }
    noteInput(model, { dtype: x.dtype, shape: x.shape.slice(1) });
    this.display = progress({
      steps: plan.steps,
      epochs: Math.ceil(plan.steps / stepsPerEpoch),
      quiet: plan.progress === false,
      ...(typeof plan.progress === "object" ? { stream: plan.progress } : {}),
    });
  }

  /** Runs to an end of any kind. */
  async run(): Promise<FitResult> {
    const begun = performance.now();
    try {
      this.checkpointer = await this.openCheckpoints();
      const resumed = (await this.checkpointer?.resume()) ? this.step : undefined;
      const stopped = this.ended ?? (await this.train());
      if (this.ended === undefined) {
        // With the last weights: a longer run can go on from them, and the best are kept beside.
        this.ended = stopped;
        await this.checkpointer?.finish(this.moment(false));
      }
      await this.best.restore();
      checkStatistics(where, this.plan.model);
      const { history, validations, step: steps } = this;
      const seconds = (performance.now() - begun) / 1e3;
      const result: FitResult = { best: this.best.record, history, validations, stopped, steps, resumed, seconds };
      await this.plan.callbacks.onEnd?.(result);
      return result;
    } catch (thrown) {
      throw await this.failed(await this.interrupted(thrown));
    } finally {
      this.display.stop();
      await this.checkpointer?.close();
      this.dispose();
    }
  }

  private async train(): Promise<FitResult["stopped"]> {
    const { plan, hooks } = this;
    const every = plan.validate?.every ?? Infinity;
    for (let epoch = Math.floor(this.step / plan.stepsPerEpoch); this.step < plan.steps; epoch++) {
      const begun = performance.now();
      const end = Math.min(plan.steps, (epoch + 1) * plan.stepsPerEpoch);
      let stop = false;
      while (this.step < end && !stop) {
        const due = Number.isFinite(every) ? (Math.floor(this.step / every) + 1) * every : end;
        const pause = hooks.due?.(this.step) ?? Infinity;
        const write = this.checkpointer?.due(this.step) ?? Infinity;
        const go = await this.chunk(epoch, Math.min(end, due, pause, write));
        if (this.step === pause) await this.pause();
        if (!go) return "break";
        if (this.evaluator && (this.step % every === 0 || this.step === plan.steps)) {
          this.validated = await this.validate(epoch);
          stop = this.best.monitor !== "loss" && (await this.check(epoch));
        }
        if (this.step < end && !stop) await this.checkpointer?.offer(this.moment(false));
      }
      if (this.step === end) stop = (await this.endEpoch(epoch, begun)) || stop;
      if (stop) return this.step < plan.steps ? "early" : "done";
      if (this.step < plan.steps) await this.checkpointer?.offer(this.moment(true));
    }
    return "done";
  }

  private moment(epochEnd: boolean): CheckpointMoment {
    return { step: this.step, epochEnd, best: this.best.record?.steps };
  }

  private async pause(): Promise<void> {
    await this.hooks.pause?.(this.step);
    this.best.trained();
    if (this.cancellation.aborted) throw aborted(where, this.cancellation.signal!);
  }

  /** A native call's worth of steps, at most up to step `until`; false when the reader has left. */
  private async chunk(epoch: number, until: number): Promise<boolean> {
    const { plan, parts, cancellation } = this;
    const inEpoch = this.step - epoch * plan.stepsPerEpoch;
    const full = Math.floor(plan.dataset.length / plan.batchSize);
    const short = inEpoch >= full;
    const { step, loop } = parts[short ? 1 : 0]!;
    const left = Math.min(until - this.step, short ? 1 : full - inEpoch);
    const steps = this.pace.next(left);
    const { hyper, rates } = stepRows(step, where, this.step, steps, plan.steps);
    const request = {
      seed: plan.seed,
      epoch,
      shuffle: plan.shuffle,
      firstRow: inEpoch * plan.batchSize,
      steps,
      firstStep: this.step,
      hyper,
    };
    const result = await callAsync(() => loop.run(request, cancellation.native), where);
    if (result.steps > 0) this.best.trained();
    if (!short) this.pace.note(result.steps, result.seconds);
    const at = { epoch, rates, samplesPerSecond: (result.steps * loop.batch) / result.seconds };
    const events = this.read(result.records, at, step.kind, loop.batch);
    await this.tell(events.good);
    if (events.bad) throw notFinite(step, events.bad, events.fault);
    if (cancellation.aborted) throw aborted(where, cancellation.signal!);
    return !result.cancelled;
  }

  // Records become events, up to the step at which the engine had to stop.
  private read(
    records: Float64Array,
    { epoch, rates, samplesPerSecond }: { epoch: number; rates: number[]; samplesPerSecond: number },
    kind: LossKind,
    rows: number,
  ) {
    const good: StepEvent[] = [];
    const width = kind === "count" ? WIDTH + 1 : WIDTH;
    for (let i = 0; (i + 1) * width <= records.length; i++) {
      const [loss, gradNorm, , , fault, count] = records.subarray(i * width, (i + 1) * width) as unknown as number[];
      const norm = Number.isNaN(gradNorm) ? {} : { gradNorm: gradNorm! };
      const event: StepEvent = { index: this.step, epoch, loss: loss!, lr: rates[i]!, ...norm, samplesPerSecond };
      if (fault !== 0) return { good, bad: event, fault: fault! };
      this.step += 1;
      this.losses.add(kind, loss!, rows, count);
      good.push(event);
    }
    return { good, bad: undefined, fault: 0 };
  }

  private async tell(events: readonly StepEvent[]): Promise<void> {
    const { callbacks } = this.plan;
    for (const event of events) {
      this.display.step(event);
      const waits = callbacks.onStep?.(event);
      if (waits instanceof Promise) await waits;
    }
    await this.context.emit(events);
  }

  private async validate(epoch: number): Promise<Partial<Figures>> {
    const { metrics, on } = this.plan.validate!;
    const pass = new MetricPass(metrics, on.y);
    const loss = await this.evaluator!.run(this.cancellation, (block, row) => pass.update(block, row));
    const named = Object.entries(pass.results()).map(([name, value]) => [`val.${name}`, value as number] as const);
    const figures: Record<string, number> = { "val.loss": loss, ...Object.fromEntries(named) };
    const record: ValidationRecord = { epoch, steps: this.step, figures };
    this.validations.push(record);
    await this.plan.callbacks.onValidate?.(record);
    return figures;
  }

  private async endEpoch(epoch: number, begun: number): Promise<boolean> {
    const figures: Figures = { loss: this.losses.value, ...this.validated };
    const record: EpochRecord = { epoch, steps: this.step, figures, seconds: (performance.now() - begun) / 1e3 };
    this.history.push(record);
    this.display.epoch({ epoch, figures: figures as Readonly<Record<string, number>> });
    await this.plan.callbacks.onEpoch?.(record);
    const stop = this.best.monitor === "loss" && (await this.check(epoch));
    this.validated = {};
    this.losses = new LossTotal();
    return stop;
  }

  // The training loss is checked once an epoch, when it is whole; figures of a validation whenever there is one.
  private async check(epoch: number): Promise<boolean> {
    if (this.hooks.settled?.(this.step) === false) return false;
    return this.best.observe({ epoch, steps: this.step, figures: { loss: this.losses.value, ...this.validated } });
  }

  // What ended the run where a signal did: the state of before the step that it broke off is kept.
  private async interrupted(thrown: unknown): Promise<unknown> {
    const reason: unknown = this.cancellation.signal?.reason;
    if (!(thrown instanceof AbortedError) || !(reason instanceof SignalReason)) return thrown;
    const keep = () => this.checkpointer?.finish(this.moment(false));
    return interruption(`${where}: ${reason.signal} came at step ${this.step}`, reason.signal, keep);
  }

  // The error to reject with; the best weights are back before anyone sees it.
  private async failed(thrown: unknown): Promise<unknown> {
    const restored = await this.best.restore().catch(() => false);
    if (!restored || !(thrown instanceof NonFiniteError || thrown instanceof AbortedError)) return thrown;
    const { epoch, steps } = this.best.record!;
    const note = `; the model has the weights of its best check again (epoch ${epoch}, step ${steps})`;
    Object.defineProperty(thrown, "message", { value: thrown.message + note, configurable: true, writable: true });
    return thrown;
  }

  private compile(batch: number): Part {
    const { model, distill, loss, optimizer } = this.plan;
    const step = compileStep({
      where,
      batch: Object.fromEntries(
        Object.entries(this.columns).map(([name, { dtype, shape }]) => [
          name,
          { dtype, shape: [batch, ...shape.slice(1)] },
        ]),
      ),
      body: (inputs) => distill?.loss({ model, loss, batch: inputs }) ?? loss(feed(model, inputs.x!), inputs.y!),
      companions: this.companions,
      counts: true,
      bound: (trace) => (this.bound ??= bindModel(model, optimizer, trace, this.companions)),
      extend: this.hooks.trace?.bind(this.hooks),
    });
    const hyper = [HYPER, ...step.numbers.map(({ name }) => name)];
    const loop = call(
      () =>
        new addon.Loop(step.program.native, this.dataset, {
          hyper,
          record: step.kind === "count" ? [...RECORD, COUNT] : RECORD,
          guard: REPORT,
        }),
    );
    return { step, loop };
  }

  private async openCheckpoints(): Promise<Checkpointer | undefined> {
    const { checkpoint, resume, allow } = this.plan;
    if (!checkpoint && resume === false) return undefined;
    const { bound, graph } = this.parts[0]!.step;
    const state = new RunState()
      .add("run", this.progressState())
      .add(
        "model",
        parametersOf(() => this.named()),
      )
      .add("optimizer", optimizerOf(bound))
      .add(
        "companions",
        parametersOf(() => this.companions.namedParameters()),
      )
      .add("best", this.best.participant())
      .add("hooks", this.hooks.participant ?? {});
    const identity = await identityOf({
      where,
      plan: this.plan,
      parameters: this.named(),
      bound,
      graph: graph(),
      further: this.hooks.identity ?? {},
    });
    return new Checkpointer({ where, plan: checkpoint, resume, allow, identity, state });
  }

  // How far the run has come, and what it has recorded.
  private progressState(): Participant {
    return {
      state: () => {
        const { step, losses, validated, ended, history, validations } = this;
        return { step, losses: losses.state(), validated, ended, history, validations } as unknown as Json;
      },
      restore: (saved) => {
        const { history, validations, losses, ...numbers } = saved as unknown as Records;
        this.losses.restore(losses);
        Object.assign(this, { ended: undefined, ...numbers });
        if (this.ended === "done" && this.step < this.plan.steps) this.ended = undefined;
        this.history.splice(0, Infinity, ...history);
        this.validations.splice(0, Infinity, ...validations);
      },
    };
  }

  private named(): readonly NamedParameter[] {
    const { model } = this.plan;
    if (model instanceof Module) return model.namedParameters();
    return this.bound!.parameters.map((parameter) => ({ name: parameter.name, parameter }));
  }

  // All that training changes: parameters and running statistics.
  private state(): readonly Parameter[] {
    const { model } = this.plan;
    return model instanceof Module ? model.parameters() : this.bound!.parameters;
  }

  private dispose(): void {
    for (const { step, loop } of this.parts) {
      loop.dispose();
      step.dispose();
    }
    this.evaluator?.dispose();
    this.best?.dispose();
    this.bound?.dispose();
    this.companions.dispose();
    this.dataset.dispose();
  }
}

function notFinite(step: StepProgram, { index, epoch, loss, lr }: StepEvent, code: number): NonFiniteError {
  const { what, weights, way } = faultOf(step, code, loss)!;
  return new NonFiniteError(
    `${where}: ${what} at step ${index} (epoch ${epoch}, lr ${number(lr)}); ${weights}. ${way}`,
  );
}
