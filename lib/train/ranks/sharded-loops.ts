// The steps of a run that is divided among ranks: every batch is cut into a fixed number of shards, each rank takes its part of them,
// and the sum of all is the same to the bit whatever the number of ranks.
import { ArgumentError } from "../../errors.js";
import { addon, call, type NativeCancel, type NativeDataset, type NativeVariable } from "../../native/index.js";
import type { NativeRankGroup, NativeShardedLoop } from "../../native/ranks.js";
import type { Participant } from "../../checkpoint/index.js";
import { Module } from "../../nn/index.js";
import { bindLater } from "../../optim/bound.js";
import type { BoundOptimizer } from "../../optim/index.js";
import type { Program } from "../../tensor/program.js";
import type { Stretch } from "../data/feed.js";
import { LoopStore } from "../data/loop-store.js";
import { requireDivisible } from "./divisible.js";
import { DividedStates } from "./divided-states.js";
import { defaultShards, type DataParallelism, type ZeroStage } from "./parallelism.js";
import { compareRuns, compareWeights } from "./rank-checks.js";
import { countMemory } from "./rank-memory.js";
import { joinedWorld, throughRanks } from "./ranks.js";
import { compileShard, compileUpdate, ShardedExchange, traceShard, type TracedShard } from "./sharded-step.js";
import { optimizerOf } from "../run/participants.js";
import { bindTo, passesOf, takenOf, type Loops, type Ran, type StepLoopsSource } from "../step/step-loops.js";
import { HYPER, stepRows, type StepProgram } from "../step/step-program.js";

/** The compiled steps of one rank. */
export class ShardedLoops implements Loops {
  private readonly source: StepLoopsSource;
  readonly shards: number;
  private readonly bucketBytes: number;
  private readonly group: NativeRankGroup | undefined;
  private readonly zero: ZeroStage;
  private readonly compare: number | undefined;
  /** By the rows of a shard. */
  private readonly programs = new Map<number, StepProgram>();
  private readonly loops = new LoopStore<number, NativeShardedLoop>(); // by the rows of a batch
  private exchange: ShardedExchange | undefined;
  private update: { readonly program: Program; dispose(): void } | undefined;
  private held: BoundOptimizer | undefined;
  private states: DividedStates | undefined;
  private uncount: () => void = () => undefined;

  /** @throws ArgumentError for fewer shards than ranks; UnsupportedError for a run with a part that ranks do not share. */
  constructor(source: StepLoopsSource, { shards, bucketBytes, group, zero = 0, compare }: DataParallelism) {
    const size = group?.ranks().length ?? joinedWorld()!.size;
    this.group = group;
    this.compare = compare;
    this.zero = size > 1 ? zero : 0; // one rank has all there is
    this.source = source;
    this.shards = shards ?? defaultShards(size);
    this.bucketBytes = bucketBytes;
    const { where } = source;
    if (this.shards < size) {
      throw new ArgumentError(
        `${where}: ${size} ranks need at least as many shards, got parallel.data({ shards: ${this.shards} }); give ${size}, or a multiple of it`,
      );
    }
    requireDivisible(source);
  }

  get bound(): BoundOptimizer {
    return this.held!;
  }

  /** Makes sure that all ranks divide a step alike. */
  async prepare(): Promise<void> {
    const { zero, bucketBytes } = this;
    await compareRuns(this.source.where, { parallel: { zero, bucketBytes } });
  }

  /** Brings the states to the rank that writes checkpoints. */
  get collect(): (() => Promise<void>) | undefined {
    if (!this.states) return undefined;
    return async () => {
      await this.gather();
      await this.states!.collect();
    };
  }

  /** Gives every rank all weights, where they are divided. */
  async gather(): Promise<void> {
    if (this.zero < 3) return;
    await throughRanks(this.source.where, () => this.exchange!.native.gatherParameters());
  }

  /** The optimizer's part of a checkpoint, where ranks divide it. */
  optimizer(): Participant {
    return this.states ?? optimizerOf(this.bound);
  }

  program(rows: number): StepProgram {
    const sizes = this.sizesOf(rows);
    for (const size of sizes) if (!this.programs.has(size)) this.programs.set(size, this.compile(size));
    return this.programs.get(sizes[0]!)!;
  }

  async run(stretch: Stretch, epoch: number, firstStep: number, cancel: NativeCancel): Promise<Ran> {
    const { where, plan } = this.source;
    const { samples, shuffle, firstRow, rows, steps } = stretch;
    const program = this.program(rows);
    const loop = this.loops.of(samples, rows, () => this.loop(program, samples, rows));
    const { hyper, rates } = stepRows(program, where, firstStep, steps, plan.steps);
    const request = { seed: plan.seed, epoch, shuffle, firstRow, steps, firstStep, hyper };
    const { records, seconds, cancelled } = await throughRanks(where, () => loop.run(request, cancel));
    const taken = takenOf(records, program, rates);
    if (this.compare !== undefined && taken.length > 0 && (firstStep + taken.length) % this.compare === 0) {
      await compareWeights(where, firstStep + taken.length, this.compared(), this.group?.ranks());
    }
    return { program, taken, seconds, cancelled };
  }

  due(step: number): number {
    const { compare = Infinity } = this;
    return compare === Infinity ? Infinity : (Math.floor(step / compare) + 1) * compare;
  }

  // What all ranks have alike: with divided parameters, nothing but running statistics.
  private compared(): NativeVariable[] {
    const { model } = this.source.plan;
    const all =
      model instanceof Module ? model.namedParameters().map(({ parameter }) => parameter) : this.bound.parameters;
    const divided = new Set(this.zero === 3 ? this.bound.parameters : []);
    return all.filter((parameter) => !divided.has(parameter)).map(({ native }) => native);
  }

  dispose(): void {
    this.loops.dispose();
    for (const program of this.programs.values()) program.dispose();
    this.uncount();
    if (this.zero === 3) this.exchange?.native.leaveParameters();
    this.states?.release();
    this.update?.dispose();
    this.exchange?.dispose();
    this.held?.dispose();
  }

  // The rows of the shards of a batch, each size once, the largest first; shards of no rows are skipped.
  private sizesOf(rows: number): number[] {
    const { shards } = this;
    const sizes = Array.from(
      { length: shards },
      (_, s) => Math.floor((rows * (s + 1)) / shards) - Math.floor((rows * s) / shards),
    );
    return [...new Set(sizes)].filter((size) => size > 0).sort((a, b) => b - a);
  }

  private compile(rows: number): StepProgram {
    const { source } = this;
    const { where } = source;
    const traced = traceShard({
      ...passesOf(source, rows),
      bound: (trace) => (this.held ??= bindTo(source, trace, this.zero > 0 ? bindLater : undefined)),
    });
    this.exchange ??= this.open(traced);
    this.update ??= compileUpdate(where, traced.bound, this.exchange);
    return compileShard(where, traced, this.exchange);
  }

  // The exchange, and with it the states of this rank where the ranks divide them.
  private open(traced: TracedShard): ShardedExchange {
    const { shards, bucketBytes, group, zero } = this;
    const { bound } = traced;
    const exchange = new ShardedExchange(this.source.where, traced, { shards, bucketBytes, group, zero });
    if (zero > 0) {
      const ranks = group ?? call(() => new addon.RankGroup("data"));
      bound.divide(
        ranks,
        exchange.gradients.map(({ parameters }) => parameters),
        zero === 3,
      );
      if (zero === 3) call(() => exchange.native.page(bound.native));
      this.states = new DividedStates(bound, ranks);
    }
    this.uncount = countMemory(() => {
      const { kept: gradients, passing: messages, ...paged } = exchange.native.bytes;
      return { ...bound.native.bytes, ...paged, gradients, messages };
    });
    return exchange;
  }

  private loop(program: StepProgram, samples: NativeDataset, rows: number): NativeShardedLoop {
    return call(
      () =>
        new addon.ShardedLoop({
          shards: this.sizesOf(rows).map((size) => ({ rows: size, program: this.programs.get(size)!.program.native })),
          update: this.update!.program.native,
          dataset: samples,
          exchange: this.exchange!.native,
          tensors: this.exchange!.tensors,
          rows,
          hyper: [HYPER, ...program.numbers.map(({ name }) => name)],
          kind: program.kind as "rows" | "count" | "sum",
          gradientBuckets: this.exchange!.gradients.length,
        }),
    );
  }
}
