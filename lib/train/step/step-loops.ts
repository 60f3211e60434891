// The steps of a run in the engine: a program for every size of batch, and its loop over the samples at hand.
import { addon, call, callAsync, type NativeCancel, type NativeDataset, type NativeLoop } from "../../native/index.js";
import { feed } from "../../nn/index.js";
import type { Participant } from "../../checkpoint/index.js";
import type { bind, BoundOptimizer } from "../../optim/index.js";
import type { NdArray } from "../../tensor/nd-array.js";
import { LoopStore } from "../data/loop-store.js";
import { GradientSums } from "./accumulation.js";
import type { AuxiliaryModules } from "./auxiliary-modules.js";
import type { Stretch } from "../data/feed.js";
import type { FitPlan } from "../fit-options.js";
import type { FitHooks } from "../run/hooks.js";
import { COUNT, countsOf, LossTotal } from "./loss-total.js";
import { SPIKE, SpikeWatch } from "./spike-watch.js";
import type { Trace } from "../../tensor/trace.js";
import {
  bindModel,
  compileStep,
  HYPER,
  numbersAt,
  REPORT,
  stepRows,
  type BatchType,
  type StepProgram,
  type StepSource,
} from "./step-program.js";

// A row of records: the loss, the four numbers of the report, whether it is a spike where that is watched, and what the loss counted where
// that is not every row.
const RECORD = ["loss", REPORT];
const WIDTH = 5;

/** A step that was taken. */
export interface Taken {
  readonly loss: number;
  readonly lr: number;
  /** NaN where no norm was asked for. */
  readonly gradNorm: number;
  /** What `faultOf` reads; 0 for none. */
  readonly fault: number;
  /** Whether the fault is a loss that was a spike. */
  readonly spike: boolean;
  /** What tells how the loss adds up to that of a data set. */
  readonly counts: readonly number[];
}

/** What came of a stretch. */
export interface Ran {
  readonly program: StepProgram;
  readonly taken: readonly Taken[];
  readonly seconds: number;
  readonly cancelled: boolean;
}

/** What {@link StepLoops} is made of. */
export interface StepLoopsSource {
  readonly where: string;
  readonly plan: FitPlan;
  /** Element type and shape of a sample, by column. */
  readonly columns: Readonly<Record<string, BatchType>>;
  readonly auxiliary: AuxiliaryModules;
  readonly hooks: FitHooks;
}

/** The steps of a run, whoever takes them. */
export interface Loops {
  /** The optimizer with its states, from the first program on. */
  readonly bound: BoundOptimizer;
  /** Parts that every batch is cut into, where it is. */
  readonly shards?: number;
  /** What a watch over spikes keeps in a checkpoint, where there is one. */
  readonly watch?: Participant;
  /** The program of a step over so many rows. @throws what tracing throws. */
  program(rows: number): StepProgram;
  /** Takes the steps of a stretch, up to one at which the engine had to stop. */
  run(stretch: Stretch, epoch: number, firstStep: number, cancel: NativeCancel): Promise<Ran>;
  /** The next step count above `step` after which {@link run} has to come back. */
  due?(step: number): number;
  /** Makes ready what the ranks have to agree on, after all programs were asked for and before the first step. */
  prepare?(): Promise<void>;
  /** Gives every rank all weights, where each steps some of them. */
  gather?(): Promise<void>;
  /** Brings all that a checkpoint holds to the rank that writes it. */
  readonly collect?: (() => Promise<void>) | undefined;
  /** The optimizer's part of a checkpoint, where ranks share it. */
  optimizer?(): Participant;
  dispose(): void;
}

/** The compiled steps of a run in one process. */
export class StepLoops implements Loops {
  private readonly source: StepLoopsSource;
  private readonly programs = new Map<string, StepProgram>();
  private readonly loops = new LoopStore<StepProgram, NativeLoop>();
  private held: BoundOptimizer | undefined;
  private sums: GradientSums | undefined;
  private readonly spikes: SpikeWatch | undefined;

  constructor(source: StepLoopsSource) {
    this.source = source;
    const { onSpike } = source.plan.guard;
    this.spikes = onSpike && new SpikeWatch(onSpike);
  }

  /** What of the watch over spikes is kept in a checkpoint. */
  get watch(): Participant {
    return this.spikes?.participant() ?? {};
  }

  /** The optimizer with its states, from the first program on. */
  get bound(): BoundOptimizer {
    return this.held!;
  }

  /** The program that ends a step over so many rows. @throws what tracing throws. */
  program(rows: number): StepProgram {
    const { batchSize, accumulate } = this.source.plan;
    if (accumulate === 1) return this.made(rows, true);
    if (rows > batchSize) this.made(batchSize, false);
    return this.made(rows % batchSize || batchSize, true);
  }

  private made(rows: number, closes: boolean): StepProgram {
    const name = `${rows} ${closes}`;
    const known = this.programs.get(name);
    if (known) return known;
    const made = this.compile(rows, closes);
    this.programs.set(name, made);
    return made;
  }

  /** Takes the steps of a stretch, up to one at which the engine had to stop. */
  async run(stretch: Stretch, epoch: number, firstStep: number, cancel: NativeCancel): Promise<Ran> {
    const { where, plan } = this.source;
    if (plan.accumulate > 1) return this.runAccumulated(stretch, epoch, firstStep, cancel);
    const { samples, shuffle, firstRow, rows, steps } = stretch;
    const program = this.program(rows);
    const loop = this.loop(program, samples);
    const { hyper, rates } = stepRows(program, where, firstStep, steps, plan.steps);
    const request = { seed: plan.seed, epoch, shuffle, firstRow, steps, firstStep, hyper };
    const { records, seconds, cancelled } = await callAsync(() => loop.run(request, cancel), where);
    return { program, taken: takenOf(records, program, rates), seconds, cancelled };
  }

  // Each step whole, so that what ends the run between two steps has no half of one to keep.
  private async runAccumulated(stretch: Stretch, epoch: number, firstStep: number, cancel: NativeCancel): Promise<Ran> {
    const { where, plan } = this.source;
    const { samples, shuffle, firstRow, rows, steps } = stretch;
    const program = this.program(rows);
    const adding = rows > plan.batchSize ? this.made(plan.batchSize, false) : undefined;
    const batches = Math.ceil(rows / plan.batchSize) - 1;
    const taken: Taken[] = [];
    let seconds = 0;
    for (let i = 0; i < steps; i++) {
      const step = firstStep + i;
      const at = { seed: plan.seed, epoch, shuffle };
      const key = step * plan.accumulate; // every batch draws its own random numbers
      const losses: Taken[] = [];
      if (adding) {
        const numbers = numbersAt(adding, where, step, plan.steps);
        const hyper = Float64Array.from({ length: batches * numbers.length }, (_, n) => numbers[n % numbers.length]!);
        const request = { ...at, firstRow: firstRow + i * rows, steps: batches, firstStep: key, hyper };
        const loop = this.loop(adding, samples);
        const added = await callAsync(() => loop.run(request, i === 0 ? cancel : undefined), where);
        if (added.cancelled) return { program, taken, seconds, cancelled: true };
        seconds += added.seconds;
        losses.push(...takenOf(added.records, adding, [], false));
      }
      const { hyper, rates } = stepRows(program, where, step, 1, plan.steps);
      const from = firstRow + i * rows + batches * plan.batchSize;
      const request = { ...at, firstRow: from, steps: 1, firstStep: key + batches, hyper };
      const loop = this.loop(program, samples);
      const closed = await callAsync(() => loop.run(request, adding || i > 0 ? undefined : cancel), where);
      seconds += closed.seconds;
      if (closed.cancelled) return { program, taken, seconds, cancelled: true };
      const [last] = takenOf(closed.records, program, rates);
      taken.push(wholeOf(last!, losses, program, plan.batchSize, rows));
      if (last!.fault !== 0) break;
    }
    return { program, taken, seconds, cancelled: false };
  }

  dispose(): void {
    this.loops.dispose();
    for (const program of this.programs.values()) program.dispose();
    this.held?.dispose();
    this.sums?.dispose();
    this.spikes?.dispose();
  }

  private loop(program: StepProgram, samples: NativeDataset): NativeLoop {
    return this.loops.of(samples, program, () => loopOf(program, samples));
  }

  private compile(rows: number, closes: boolean): StepProgram {
    const { hooks, plan } = this.source;
    const sums = (bound: BoundOptimizer) => (this.sums ??= new GradientSums(bound.parameters));
    const bound = (trace: Trace) => (this.held ??= bindTo(this.source, trace));
    const accumulate = plan.accumulate > 1 ? { sums, closes } : undefined;
    return compileStep({
      ...passesOf(this.source, rows),
      bound,
      counts: true,
      accumulate,
      watch: this.spikes && ((trace, loss) => this.spikes!.watch(trace, loss)),
      extend: hooks.trace?.bind(hooks),
    });
  }
}

function loopOf(program: StepProgram, samples: NativeDataset): NativeLoop {
  const closes = program.program.outputs.some(({ name }) => name === REPORT);
  const hyper = [...(closes ? [HYPER] : []), ...program.numbers.map(({ name }) => name)];
  const record = [
    ...(closes ? RECORD : ["loss"]),
    ...(program.watches ? [SPIKE] : []),
    ...(countsOf(program.kind) > 0 ? [COUNT] : []),
  ];
  const options = { hyper, record, ...(closes && { guard: REPORT }) };
  return call(() => new addon.Loop(program.program.native, samples, options));
}

/** The optimizer for what the trace trains. */
export const bindTo = ({ plan, auxiliary }: StepLoopsSource, trace: Trace, by?: typeof bind): BoundOptimizer =>
  bindModel(plan.model, plan.optimizer, trace, auxiliary, by);

/** What the passes over `rows` samples are traced from. */
export function passesOf(
  { where, plan, columns, auxiliary }: StepLoopsSource,
  rows: number,
): Omit<StepSource, "bound"> {
  const { model, distill, loss } = plan;
  return {
    where,
    batch: Object.fromEntries(
      Object.entries(columns).map(([name, { dtype, shape }]) => [name, { dtype, shape: [rows, ...shape] }]),
    ),
    body: (inputs) => distill?.loss({ model, loss, batch: inputs }) ?? loss(feed(model, inputs.x!), inputs.y!),
    auxiliary,
    device: plan.device,
  };
}

/** The steps in a loop's records. */
export function takenOf(
  records: Float64Array,
  { kind, watches }: Pick<StepProgram, "kind"> & Partial<Pick<StepProgram, "watches">>,
  rates: readonly number[],
  closes = true,
): Taken[] {
  const own = closes ? WIDTH + (watches ? 1 : 0) : 1;
  const width = own + countsOf(kind);
  return Array.from({ length: records.length / width }, (_, i): Taken => {
    const at = i * width;
    const counts = [...records.subarray(at + own, at + width)];
    if (!closes) return { loss: records[at]!, lr: 0, gradNorm: NaN, fault: 0, spike: false, counts };
    const spike = watches === true && records[at + WIDTH] === 1;
    return { loss: records[at]!, lr: rates[i]!, gradNorm: records[at + 1]!, fault: records[at + 4]!, spike, counts };
  });
}

// The step that several batches made: its loss is that of all of their rows that count.
function wholeOf(last: Taken, before: readonly Taken[], { kind }: StepProgram, batch: number, rows: number): Taken {
  const total = new LossTotal();
  before.forEach(({ loss, counts }) => total.add(kind, loss, batch, counts));
  total.add(kind, last.loss, rows - before.length * batch, last.counts);
  const counts = last.counts.map((_, i) => [...before, last].reduce((sum, each) => sum + each.counts[i]!, 0));
  return { ...last, loss: total.value, counts };
}

/** Element types and shapes of samples, of arrays with a row a sample. */
export const typesOf = (columns: Readonly<Record<string, NdArray>>): Record<string, BatchType> =>
  Object.fromEntries(
    Object.entries(columns).map(([name, { dtype, shape }]) => [name, { dtype, shape: shape.slice(1) }]),
  );
