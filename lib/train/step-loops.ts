// The steps of a run in the engine: a program for every size of batch, and its loop over the samples at hand.
import { addon, call, callAsync, type NativeCancel, type NativeDataset, type NativeLoop } from "../native/index.js";
import { feed } from "../nn/index.js";
import type { BoundOptimizer } from "../optim/index.js";
import type { NdArray } from "../tensor/nd-array.js";
import type { Companions } from "./companions.js";
import type { Stretch } from "./feed.js";
import type { FitPlan } from "./fit-options.js";
import type { FitHooks } from "./hooks.js";
import { COUNT, countsOf } from "./loss-total.js";
import type { Trace } from "../tensor/trace.js";
import {
  bindModel,
  compileStep,
  HYPER,
  REPORT,
  stepRows,
  type BatchType,
  type StepProgram,
  type StepSource,
} from "./step-program.js";

// A row of records: the loss, the four numbers of the report, and what the loss counted where that is not every row.
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
  readonly companions: Companions;
  readonly hooks: FitHooks;
}

/** The steps of a run, whoever takes them. */
export interface Loops {
  /** The optimizer with its states, from the first program on. */
  readonly bound: BoundOptimizer;
  /** Parts that every batch is cut into, where it is. */
  readonly shards?: number;
  /** The program of a step over so many rows. @throws what tracing throws. */
  program(rows: number): StepProgram;
  /** Takes the steps of a stretch, up to one at which the engine had to stop. */
  run(stretch: Stretch, epoch: number, firstStep: number, cancel: NativeCancel): Promise<Ran>;
  /** Lets go of samples that are to be freed. */
  release(samples: NativeDataset): void;
  dispose(): void;
}

/** The compiled steps of a run in one process. */
export class StepLoops implements Loops {
  private readonly source: StepLoopsSource;
  private readonly programs = new Map<number, StepProgram>();
  private readonly loops = new Map<NativeDataset, Map<number, NativeLoop>>();
  private held: BoundOptimizer | undefined;

  constructor(source: StepLoopsSource) {
    this.source = source;
  }

  /** The optimizer with its states, from the first program on. */
  get bound(): BoundOptimizer {
    return this.held!;
  }

  /** The program of a step over so many rows. @throws what tracing throws. */
  program(rows: number): StepProgram {
    const known = this.programs.get(rows);
    if (known) return known;
    const made = this.compile(rows);
    this.programs.set(rows, made);
    return made;
  }

  /** Takes the steps of a stretch, up to one at which the engine had to stop. */
  async run(stretch: Stretch, epoch: number, firstStep: number, cancel: NativeCancel): Promise<Ran> {
    const { where, plan } = this.source;
    const { samples, shuffle, firstRow, rows, steps } = stretch;
    const program = this.program(rows);
    const loop = this.loop(program, samples, rows);
    const { hyper, rates } = stepRows(program, where, firstStep, steps, plan.steps);
    const request = { seed: plan.seed, epoch, shuffle, firstRow, steps, firstStep, hyper };
    const { records, seconds, cancelled } = await callAsync(() => loop.run(request, cancel), where);
    return { program, taken: takenOf(records, program, rates), seconds, cancelled };
  }

  /** Lets go of samples that are to be freed. */
  release(samples: NativeDataset): void {
    for (const loop of this.loops.get(samples)?.values() ?? []) loop.dispose();
    this.loops.delete(samples);
  }

  dispose(): void {
    for (const samples of [...this.loops.keys()]) this.release(samples);
    for (const program of this.programs.values()) program.dispose();
    this.held?.dispose();
  }

  private loop(program: StepProgram, samples: NativeDataset, rows: number): NativeLoop {
    const own = this.loops.get(samples) ?? new Map<number, NativeLoop>();
    this.loops.set(samples, own);
    const known = own.get(rows);
    if (known) return known;
    const hyper = [HYPER, ...program.numbers.map(({ name }) => name)];
    const record = countsOf(program.kind) > 0 ? [...RECORD, COUNT] : RECORD;
    const made = call(() => new addon.Loop(program.program.native, samples, { hyper, record, guard: REPORT }));
    own.set(rows, made);
    return made;
  }

  private compile(rows: number): StepProgram {
    const { hooks } = this.source;
    const bound = (trace: Trace) => (this.held ??= bindTo(this.source, trace));
    return compileStep({ ...passesOf(this.source, rows), bound, counts: true, extend: hooks.trace?.bind(hooks) });
  }
}

/** The optimizer for what the trace trains. */
export const bindTo = ({ plan, companions }: StepLoopsSource, trace: Trace): BoundOptimizer =>
  bindModel(plan.model, plan.optimizer, trace, companions);

/** What the passes over `rows` samples are traced from. */
export function passesOf(
  { where, plan, columns, companions }: StepLoopsSource,
  rows: number,
): Omit<StepSource, "bound"> {
  const { model, distill, loss } = plan;
  return {
    where,
    batch: Object.fromEntries(
      Object.entries(columns).map(([name, { dtype, shape }]) => [name, { dtype, shape: [rows, ...shape] }]),
    ),
    body: (inputs) => distill?.loss({ model, loss, batch: inputs }) ?? loss(feed(model, inputs.x!), inputs.y!),
    companions,
    device: plan.device,
  };
}

/** The steps in a loop's records. */
export function takenOf(records: Float64Array, { kind }: Pick<StepProgram, "kind">, rates: readonly number[]): Taken[] {
  const width = WIDTH + countsOf(kind);
  return Array.from({ length: records.length / width }, (_, i): Taken => {
    const at = i * width;
    const counts = [...records.subarray(at + WIDTH, at + width)];
    return { loss: records[at]!, lr: rates[i]!, gradNorm: records[at + 1]!, fault: records[at + 4]!, counts };
  });
}

/** Element types and shapes of samples, of arrays with a row a sample. */
export const typesOf = (columns: Readonly<Record<string, NdArray>>): Record<string, BatchType> =>
  Object.fromEntries(
    Object.entries(columns).map(([name, { dtype, shape }]) => [name, { dtype, shape: shape.slice(1) }]),
  );
