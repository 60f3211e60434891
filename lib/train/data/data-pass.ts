// A compiled pass over a data set: programs for the sizes of its batches, run natively chunk by chunk, every sample once and in order.
import { addon, call, callAsync, type NativeLoop, type NativeLoopResult } from "../../native/index.js";
import { aborted, type Program } from "../../tensor/program.js";
import type { Trace } from "../../tensor/trace.js";
import type { Cancellation } from "../run/cancellation.js";
import { Chunks } from "./chunks.js";
import type { Feed, Stretch } from "./feed.js";
import { LoopStore } from "./loop-store.js";

/** A program over a batch, and the trace that it was compiled from. */
export interface BatchProgram {
  readonly program: Program;
  readonly trace: Trace;
}

/** What {@link DataPass} is made of. */
export interface DataPassSource<P extends BatchProgram> {
  readonly where: string;
  /** Disposed of with the pass. */
  readonly feed: Feed;
  /** Of a native call. */
  readonly seconds: number;
  /** The program for batches of so many rows. @throws what tracing throws. */
  readonly compile: (rows: number) => P;
  /** The results of the program that are brought to JavaScript: numbers a step, and whole tensors. Default: none. */
  readonly results?: (program: P) => { readonly record?: string[]; readonly collect?: string[] };
}

/** What came of a chunk. */
export interface PassChunk<P extends BatchProgram> {
  readonly program: P;
  readonly stretch: Stretch;
  /** Of the data set, the first of the chunk. */
  readonly row: number;
  readonly result: NativeLoopResult;
}

/** A pass; run it as often as the weights change. */
export class DataPass<P extends BatchProgram> {
  private readonly source: DataPassSource<P>;
  private readonly chunks: Chunks;
  private readonly programs = new Map<number, P>();
  private readonly loops = new LoopStore<P, NativeLoop>();

  /** @throws what tracing throws; nothing is left then. */
  constructor(source: DataPassSource<P>) {
    this.source = source;
    this.chunks = new Chunks(source.feed, source.seconds);
    try {
      for (const rows of source.feed.rowsOfSteps) this.program(rows);
    } catch (thrown) {
      this.dispose();
      throw thrown;
    }
  }

  /** The program of a full batch. */
  get full(): P {
    return this.program(this.source.feed.rowsOfSteps[0]!);
  }

  /**
   * One pass with the weights of now, `take` given every chunk before the next one begins.
   *
   * @param most steps of a chunk. Default as many as the time of a native call allows.
   * @throws AbortedError; what a step throws, such as for a label that is not a class; what the source of the samples throws.
   */
  async run(
    cancellation: Cancellation,
    take: (chunk: PassChunk<P>) => void | Promise<void> = () => undefined,
    most = Infinity,
  ): Promise<void> {
    const { where } = this.source;
    const stopped = () => aborted(where, cancellation.signal ?? AbortSignal.abort());
    let row = 0;
    for (let step = 0; ;) {
      const stretch = await this.chunks.next(0, step, most);
      if (cancellation.isRaised) throw stopped();
      if (!stretch) return;
      const { samples, firstRow, rows, steps } = stretch;
      const program = this.program(rows);
      const loop = this.loops.of(samples, program, () => this.loop(program, stretch));
      const request = { seed: 0, epoch: 0, shuffle: false, firstRow, steps, firstStep: row };
      const result = await callAsync(() => loop.run(request, cancellation.native), where);
      this.chunks.note(stretch, result);
      if (result.cancelled) throw stopped();
      await take({ program, stretch, row, result });
      step += steps;
      row += steps * rows;
    }
  }

  dispose(): void {
    this.loops.dispose();
    for (const { program, trace } of this.programs.values()) {
      program.dispose();
      trace.graph.dispose();
    }
    this.programs.clear();
    this.chunks.dispose();
  }

  private program(rows: number): P {
    const known = this.programs.get(rows);
    if (known) return known;
    const made = this.source.compile(rows);
    this.programs.set(rows, made);
    return made;
  }

  private loop(program: P, { samples }: Stretch): NativeLoop {
    return call(() => new addon.Loop(program.program.native, samples, this.source.results?.(program) ?? {}));
  }
}
