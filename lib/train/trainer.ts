// The course of a run: chunks of steps in the engine, events out, validation, early stopping, and one way out that leaves the
// weights whole and, where asked for, the best.
// Long because a chunk, a check and every way out share what the run has come to.
import { aborted } from "../tensor/program.js";
import { noteInput } from "../tensor/signature.js";
import type { NdArray } from "../tensor/nd-array.js";
import { WeightAverage } from "./averaging.js";
import { FastSequenceMean, fastSequenceMeanOf } from "./schedule-free.js";
import { Best } from "./run/best.js";
import type { Cancellation } from "./run/cancellation.js";
import type { Checkpointer, CheckpointCost, CheckpointMoment } from "./run/checkpointer.js";
import { AuxiliaryModules } from "./step/auxiliary-modules.js";
import { interrupted, withBestWeights } from "./run/endings.js";
import { Chunks } from "./data/chunks.js";
import type { Feed } from "./data/feed.js";
import type { FitPlan } from "./fit-options.js";
import type { EpochRecord, MetricValues, FitResult, StepEvent, ValidationRecord } from "./run/records.js";
import { Guard, mayRewind, type BadStep } from "./run/guard.js";
import type { FitHooks } from "./run/hooks.js";
import { Position } from "./run/position.js";
import { compareRuns, shareWeights } from "./ranks/rank-checks.js";
import { progress, type Progress } from "./run/progress.js";
import { joinedWorld } from "./ranks/ranks.js";
import type { RunContext } from "./run/run.js";
import { identityOfRun, openCheckpoints, parametersIn } from "./run/run-checkpoints.js";
import { feedOf, typesOfData } from "./data/run-data.js";
import { RunLog, statusOf } from "./run/run-log.js";
import { checkStatistics } from "./run/statistics.js";
import { eventsOf, notFinite } from "./run/step-events.js";
import { PipelineLoops } from "./ranks/pipeline-loops.js";
import { ShardedLoops } from "./ranks/sharded-loops.js";
import { StepLoops, typesOf, type Loops, type StepLoopsSource } from "./step/step-loops.js";
import { Validation } from "./evaluate/validation.js";

const where = "train.fit";

/** One run of `fit`. */
export class Trainer {
  private readonly plan: FitPlan;
  private readonly cancellation: Cancellation;
  private readonly context: RunContext<StepEvent>;
  private readonly hooks: FitHooks;
  private readonly display: Progress;
  private readonly auxiliary: AuxiliaryModules;
  private readonly feed: Feed;
  private readonly chunks: Chunks;
  private readonly loops: Loops;
  private readonly validation: Validation | undefined;
  private readonly best: Best;
  private readonly position: Position;
  private average: WeightAverage | FastSequenceMean | undefined;
  private checkpointer: Checkpointer | undefined;
  private guard: Guard | undefined;
  private log: RunLog | undefined;

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
    const { dataset, model, validate } = plan;
    const rows = plan.batchSize * plan.accumulate;
    const types = { ...typesOfData(dataset), ...typesOf(columns) };
    this.auxiliary = new AuxiliaryModules(plan.seed);
    this.feed = feedOf(dataset, { ...plan, where, cancellation, rows, keepTargets: false, columns });
    this.chunks = new Chunks(this.feed);
    const { stepsPerEpoch } = this.feed;
    this.position = new Position(hooks.firstStep ?? 0, stepsPerEpoch);
    const extended: FitHooks = {
      trace: (trace, gradients) => {
        hooks.trace?.(trace, gradients);
        this.average ??= plan.average && new WeightAverage(plan.average, parametersIn(plan, this.loops));
        if (this.average instanceof WeightAverage) this.average.follow(trace);
      },
    };
    const source = { where, plan, columns: types, auxiliary: this.auxiliary, hooks: plan.average ? extended : hooks };
    this.loops = loopsOf(source);
    try {
      for (const rows of this.feed.rowsOfSteps) this.loops.program(rows);
      this.average = fastSequenceMeanOf(where, plan, () => this.loops.bound) ?? this.average;
      this.loops.bound.stepsPerEpoch = stepsPerEpoch;
      this.validation =
        validate &&
        new Validation({
          where,
          plan: validate,
          model,
          loss: plan.loss,
          steps: plan.steps,
          device: plan.device,
          cancellation,
        });
      const parameters = parametersIn(plan, this.loops).map(({ parameter }) => parameter);
      this.best = new Best(plan.stopping, validate !== undefined, parameters);
    } catch (thrown) {
      this.dispose();
      throw thrown;
    }
    noteInput(model, types.x);
    this.display = progress({
      steps: plan.steps,
      epochs: stepsPerEpoch === undefined ? 1 : Math.ceil(plan.steps / stepsPerEpoch),
      quiet: plan.progress === false || (joinedWorld()?.rank ?? 0) !== 0,
      ...(typeof plan.progress === "object" ? { stream: plan.progress } : {}),
    });
  }

  /** Runs to an end of any kind. */
  async run(): Promise<FitResult> {
    const { position } = this;
    try {
      const resumed = await this.begin();
      const stopped = position.ended ?? (await this.train());
      if (position.ended === undefined) {
        // With the last weights: a longer run can go on from them, and the best are kept beside.
        position.ended = stopped;
        await this.checkpointer?.conclude(this.moment(false));
      }
      await this.loops.gather?.();
      await this.average?.enter(position.step);
      await this.best.restore();
      checkStatistics(where, this.plan.model);
      const { history, validations, step: steps, skipped, spikes, rewound, seconds } = position;
      const result: FitResult = {
        best: this.best.record,
        history,
        validations,
        stopped,
        steps,
        skipped,
        spikes,
        rewound,
        resumed,
        seconds,
      };
      await this.log?.close(stopped, result);
      await this.plan.callbacks.onEnd?.(result);
      return result;
    } catch (thrown) {
      const keep = () => this.checkpointer?.finish(this.moment(false));
      const told = await interrupted(where, thrown, this.cancellation, position.step, keep);
      await this.log?.close(statusOf(told), undefined, told).catch(() => undefined); // what ended the run is said, not this
      throw await withBestWeights(told, this.best);
    } finally {
      this.display.stop();
      await this.checkpointer?.close();
      this.dispose();
    }
  }

  private async train(): Promise<FitResult["stopped"]> {
    const { plan, position } = this;
    while (position.step < plan.steps) {
      if (position.secondsInAll * 1e3 >= plan.maxTime) return "time";
      const ended = await this.epoch();
      if (ended !== undefined) return ended;
      if (position.step < plan.steps) await this.checkpointer?.offer(this.moment(true));
    }
    return "done";
  }

  /** The rest of an epoch; why the run ends with it, if it does. */
  private async epoch(): Promise<FitResult["stopped"] | undefined> {
    const { plan, hooks, position } = this;
    const begun = performance.now();
    const { stepsPerEpoch = Infinity } = this.feed;
    let whole = position.epochStart + stepsPerEpoch;
    let end = Math.min(plan.steps, whole);
    let stop: "early" | "diverged" | undefined;
    while (position.step < end && !stop) {
      const pause = hooks.due?.(position.step) ?? Infinity;
      const due = Math.min(this.validation?.due(position.step) ?? Infinity, this.checkpointer?.due(position.step) ?? Infinity, this.loops.due?.(position.step) ?? Infinity); // prettier-ignore
      const came = await this.chunk(Math.min(end, due, pause));
      if (came === "left") return "break";
      if (came === "rewound") return undefined;
      if (came === "diverged") return "diverged";
      // The source has told that it has no more samples; or it has fewer than it said.
      if (came === "ended") whole = end = position.step;
      else if (position.step === pause) await this.pause();
      if (this.validation?.isDue(position.step, position.step === whole)) {
        stop = await this.averaged(async () => {
          await this.validate();
          return this.best.monitor === "loss" ? undefined : this.check();
        });
      }
      if (position.secondsInAll * 1e3 >= plan.maxTime) return position.step < plan.steps ? "time" : "done";
      if (position.step < end && !stop) await this.checkpointer?.offer(this.moment(false));
    }
    if (position.step === end) stop = (await this.endEpoch(begun, position.step === whole)) ?? stop;
    if (!stop) return undefined;
    return position.step < plan.steps || stop === "diverged" ? stop : "done";
  }

  private moment(epochEnd: boolean): CheckpointMoment {
    return { step: this.position.step, epochEnd, best: this.best.record?.steps };
  }

  private async pause(): Promise<void> {
    await this.hooks.pause?.(this.position.step);
    this.best.trained();
    if (this.cancellation.aborted) throw aborted(where, this.cancellation.signal!);
  }

  /** A native call's worth of steps, at most up to step `until`; none at the end of the epoch, or when the reader has left. */
  private async chunk(until: number): Promise<"steps" | "ended" | "left" | "rewound" | "diverged"> {
    const { cancellation, position, chunks } = this;
    const { step, epoch, inEpoch } = position;
    const stretch = await chunks.next(epoch, inEpoch, until - step);
    if (cancellation.aborted) throw aborted(where, cancellation.signal!);
    if (!stretch) return cancellation.isRaised ? "left" : "ended";
    const ran = await this.loops.run(stretch, epoch, step, cancellation.native);
    if (ran.taken.length > 0) this.best.trained();
    chunks.note(stretch, { steps: ran.taken.length, seconds: ran.seconds });
    const { good, bad } = eventsOf(ran, stretch.rows, position);
    await this.tell(good);
    const met = bad && (await this.meet({ spike: bad.spike, error: notFinite(where, ran, bad) }));
    if (cancellation.aborted) throw aborted(where, cancellation.signal!);
    if (met === "rewound" || met === "diverged") return met;
    return ran.cancelled ? "left" : "steps";
  }

  // A step with a number that is not finite, or a spike, has changed no weight, or all but those concerned.
  private async meet(bad: BadStep): Promise<"skipped" | "rewound" | "diverged"> {
    const met = await this.guard!.meet(bad);
    const { position } = this;
    if (met === "rewound") this.validation?.forget();
    await this.log?.guarded(met, position);
    return met;
  }

  /** Runs `body` with the average in the place of the weights. */
  private async averaged<T>(body: () => Promise<T>): Promise<T> {
    if (this.validation || this.plan.stopping) await this.loops.gather?.(); // else nobody looks at weights
    if (!this.average) return body();
    await this.average.enter(this.position.step);
    try {
      return await body();
    } finally {
      await this.average.leave();
      this.best.trained();
    }
  }

  private async tell(events: readonly StepEvent[]): Promise<void> {
    const { callbacks } = this.plan;
    this.log?.steps(events);
    for (const event of events) {
      this.display.step(event);
      const waits = callbacks.onStep?.(event);
      if (waits instanceof Promise) await waits;
    }
    await this.context.emit(events);
  }

  private async validate(): Promise<void> {
    const { position } = this;
    const metrics = await this.validation!.run(position.step);
    position.validated = metrics;
    const record: ValidationRecord = { epoch: position.epoch, steps: position.step, metrics };
    position.validations.push(record);
    this.log?.validation(record);
    await this.plan.callbacks.onValidate?.(record);
    this.reduce(metrics);
  }

  // A new metric may lower the learning rates.
  private reduce(metrics: object): void {
    if (this.hooks.settled?.(this.position.step) === false) return;
    if (this.plan.plateau?.observe(metrics as Readonly<Record<string, unknown>>)) this.guard!.scale();
  }

  private async endEpoch(begun: number, isWhole: boolean): Promise<"early" | "diverged" | undefined> {
    const { position } = this;
    const { epoch, step: steps } = position;
    const metrics: MetricValues = { loss: position.losses.value, ...position.validated };
    const record: EpochRecord = { epoch, steps, metrics, seconds: (performance.now() - begun) / 1e3 };
    position.history.push(record);
    this.display.epoch({ epoch, metrics: metrics as Readonly<Record<string, number>> });
    this.log?.epoch(record);
    await this.plan.callbacks.onEpoch?.(record);
    if (this.plan.plateau?.plan.monitor === "loss") this.reduce(metrics);
    const stop = this.best.monitor === "loss" ? await this.averaged(() => this.check()) : undefined;
    position.closeEpoch(isWhole);
    return stop;
  }

  // The training loss is checked once an epoch, when it is whole; metrics of a validation whenever there is one.
  private async check(): Promise<"early" | "diverged" | undefined> {
    const { epoch, step: steps, losses, validated } = this.position;
    if (this.hooks.settled?.(steps) === false) return undefined;
    return this.best.observe({ epoch, steps, metrics: { loss: losses.value, ...validated } });
  }

  /** Steps taken. */
  get step(): number {
    return this.position.step;
  }

  /** Readies all that goes along with the run; the steps that were taken already, where it goes on. */
  private async begin(): Promise<number | undefined> {
    const resumed = await this.open();
    const { plan, position, loops, checkpointer } = this;
    this.guard = new Guard({ plan: plan.guard, position, bound: loops.bound, checkpointer, plateau: plan.plateau });
    if (mayRewind(plan.guard)) await checkpointer!.mark(position.step);
    return resumed;
  }

  /** Opens checkpoints and log, and goes on where there is something to go on from; the steps that were taken then. */
  private async open(): Promise<number | undefined> {
    const { plan, hooks, loops, auxiliary, feed } = this;
    if (!plan.checkpoint && plan.resume === false && !plan.log && !plan.parallel) return undefined;
    const graph = loops.program(feed.rowsOfSteps[0]!).graph();
    const [position, best] = [this.position.participant(plan.steps), this.best.participant()];
    const average = this.average?.participant();
    const told = (step: number, cost: CheckpointCost) => this.log?.checkpoint(step, this.position.epoch, cost);
    const parts = { where, plan, hooks, loops, auxiliary, position, best, average, graph, told };
    const identity = await identityOfRun(parts);
    if (plan.parallel) {
      await compareRuns(where, identity);
      await loops.prepare?.();
      const beside = auxiliary.namedParameters();
      const all = [...parametersIn(plan, loops), ...beside].map(({ parameter }) => parameter);
      await shareWeights(all.filter(({ parametrization }) => !parametrization?.part));
    }
    this.checkpointer = openCheckpoints(parts, identity);
    const resumed = (await this.checkpointer?.resume()) ? this.position.step : undefined;
    if (plan.parallel) await compareRuns(where, { checkpoint: { resumed: resumed ?? null } });
    if (resumed !== undefined) hooks.resumed?.(this.position.history);
    if (!plan.log || (plan.parallel && joinedWorld()!.rank !== 0)) return resumed; // one of the ranks tells
    const parameters = parametersIn(plan, loops).reduce((sum, { parameter }) => sum + parameter.size, 0);
    const log = new RunLog(plan.log);
    await log.open({ where, identity, seed: plan.seed, parameters, resumed });
    this.log = log;
    return resumed;
  }

  private dispose(): void {
    this.loops.dispose();
    this.validation?.dispose();
    this.best?.dispose();
    this.average?.dispose();
    this.auxiliary.dispose();
    this.chunks.dispose();
  }
}

function loopsOf(source: StepLoopsSource): Loops {
  const { parallel } = source.plan;
  if (parallel?.kind === "data") return new ShardedLoops(source, parallel);
  return parallel?.kind === "pipeline" ? new PipelineLoops(source, parallel) : new StepLoops(source);
}
