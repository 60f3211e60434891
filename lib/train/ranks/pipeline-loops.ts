// The steps of a run whose model is cut in stages, one or more on each rank. The micro-batches of a batch are its shards, so that the sums
// of their gradients, and with them the weights, have the bits of data parallelism with as many shards, however the model is cut.
// Long because what a rank holds (stages, exchanges, update, states) is made once and used by all parts of a run.
import { ArgumentError, InternalError, UnsupportedError } from "../../errors.js";
import type { Participant } from "../../checkpoint/index.js";
import { addon, call, type NativeCancel, type NativeDataset } from "../../native/index.js";
import type { NativePipelineLoop } from "../../native/ranks.js";
import { bindLater } from "../../optim/bound.js";
import type { BoundOptimizer } from "../../optim/index.js";
import {
  mostChunks,
  planInstructions,
  stageOf,
  type CompiledPass,
  type InstructionPlan,
  type TimedAction,
} from "../../pipeline/index.js";
import type { Parameter } from "../../tensor/parameter.js";
import { bindTo, passesOf, takenOf, type Loops, type Ran, type StepLoopsSource } from "../step/step-loops.js";
import { HYPER, stepRows, type StepProgram } from "../step/step-program.js";
import type { Stretch } from "../data/feed.js";
import { LoopStore } from "../data/loop-store.js";
import type { PipelineParallelism } from "./parallelism.js";
import { requireDivisible } from "./divisible.js";
import { chooseCut, planOf, type Cut } from "./pipeline-cut.js";
import { PipelineLayout } from "./pipeline-layout.js";
import { PipelineStates } from "./pipeline-state.js";
import { PipelineWeights } from "./pipeline-weights.js";
import { CompiledStages, DividedStep, traceStages, type Holdings, type StageExchange, type TracedStages } from "./pipeline-stages.js"; // prettier-ignore
import { compileOwnUpdate, exchangeOf, stageExchange, type OwnUpdate } from "./pipeline-update.js";
import { countMemory, type RankMemory } from "./rank-memory.js";
import { throughRanks } from "./ranks.js";

interface PipelineLoop {
  readonly native: NativePipelineLoop;
  readonly plan: InstructionPlan;
  dispose(): void;
}

/** The compiled stages of one rank. */
export class PipelineLoops implements Loops {
  readonly shards: number;
  readonly layout: PipelineLayout;
  private readonly source: StepLoopsSource;
  private readonly division: PipelineParallelism;
  /** By the rows of a micro-batch. */
  private readonly traced = new Map<number, TracedStages>();
  private readonly compiled = new Map<number, CompiledStages>();
  private readonly loops = new LoopStore<number, PipelineLoop>(); // by the rows of a batch
  private held: BoundOptimizer | undefined;
  private cut: readonly number[] | undefined;
  private holdings: Holdings | undefined;
  private gradients: StageExchange[] = [];
  private statistics: StageExchange[] = [];
  private update: OwnUpdate | undefined;
  private states: PipelineStates | undefined;
  private weights: PipelineWeights | undefined;
  private uncount: () => void = () => undefined;

  /** @throws ArgumentError for a shape that the ranks do not have; UnsupportedError for a run with a part that ranks do not share. */
  constructor(source: StepLoopsSource, division: PipelineParallelism) {
    this.source = source;
    this.division = division;
    const { where } = source;
    this.layout = new PipelineLayout(where, division);
    this.shards = this.layout.microBatches;
    if (division.chunks > mostChunks) {
      throw new ArgumentError(
        `${where}: at most ${mostChunks} stages on a rank, got parallel.pipeline({ chunks: ${division.chunks} })`,
      );
    }
    requireDivisible(source);
  }

  get bound(): BoundOptimizer {
    return this.held!;
  }

  program(rows: number): StepProgram {
    const sizes = this.sizesOf(rows);
    const traced = sizes.map((size) => this.trace(size))[0]!;
    const { bound, kind, trace, text } = traced;
    return {
      get program(): never {
        throw new InternalError("pipeline: a step is several programs");
      },
      bound,
      kind,
      numbers: trace.stepNumbers(),
      graph: () => text,
      dispose: () => undefined,
    };
  }

  /** Cuts the model, as rank 0 has measured it, and compiles this rank's stages. */
  async prepare(): Promise<void> {
    const { where } = this.source;
    const [rows, largest] = [...this.traced].sort(([a], [b]) => b - a)[0]!;
    const masked = this.bound.parameters.find(({ mask }) => mask);
    if (masked) {
      throw new UnsupportedError(
        `${where}: "${masked.name}" has a mask, and pruned models are not cut in stages yet; use parallel.data(), or take the mask off`,
      );
    }
    const { layout, division } = this;
    const cut = await this.chosenCut(largest);
    this.cut = cut.stageOfNode;
    const step = this.divide(largest);
    this.holdings = step.holdings;
    const own = new Set(this.bound.parameters.filter((_, i) => layout.isOwn(this.holdings!.owners[i]!)));
    const ordered = this.bound.keepOnly((parameter) => own.has(parameter));
    for (let chunk = 0; chunk < layout.chunks; chunk++) {
      const stage = stageOf(layout.ranks, layout.rank, chunk);
      const held = (list: readonly Parameter[], owners: readonly number[]) =>
        list.filter((_, i) => owners[i] === stage);
      const trained = held(this.bound.parameters, step.holdings.owners).reverse();
      this.gradients.push(stageExchange(layout, trained, division.bucketBytes, `gradients of stage ${stage}`));
      const running = held(largest.statistics, step.holdings.statistics);
      this.statistics.push(stageExchange(layout, running, division.bucketBytes, `statistics of stage ${stage}`));
    }
    this.update = compileOwnUpdate(where, this.bound, ordered, this.gradients, this.statistics);
    this.states = new PipelineStates(layout, this.bound);
    this.weights = new PipelineWeights(layout, this.bound.parameters, largest.statistics, step.holdings);
    this.uncount = countMemory(() => this.memory());
    this.stages(rows, step);
    if (division.onPlan && layout.world === 0) division.onPlan(planOf(cut, layout, division));
  }

  private chosenCut(traced: TracedStages): Promise<Cut> {
    const { layout, source } = this;
    const balance = layout.stages === 1 ? "flops" : this.division.balance;
    return chooseCut({ where: source.where, traced, stages: layout.stages, balance }, layout);
  }

  async run(stretch: Stretch, epoch: number, firstStep: number, cancel: NativeCancel): Promise<Ran> {
    const { where, plan } = this.source;
    const { samples, shuffle, firstRow, rows, steps } = stretch;
    const program = this.program(rows);
    const loop = this.loops.of(samples, rows, () => this.loop(program, samples, rows));
    const { hyper, rates } = stepRows(program, where, firstStep, steps, plan.steps);
    const request = { seed: plan.seed, epoch, shuffle, firstRow, steps, firstStep, hyper };
    this.weights!.keepOwn();
    const { records, seconds, cancelled } = await throughRanks(where, () => loop.native.run(request, cancel));
    const taken = takenOf(records, program, rates);
    if (!this.update!.takesSteps) this.bound.native.steps += taken.filter(({ fault }) => fault === 0).length;
    this.division.onTimeline?.(this.timelineOf(loop));
    return { program, taken, seconds, cancelled };
  }

  /** Gives every rank the weights of all stages, until the next step. */
  gather(): Promise<void> {
    return this.weights!.gather();
  }

  /** Brings the state of all ranks to the one that writes checkpoints. */
  async collect(): Promise<void> {
    await this.gather();
    await this.states!.collect();
  }

  /** The states of the optimizer, of all ranks on the one that writes checkpoints. */
  optimizer(): Participant {
    return this.states!;
  }

  dispose(): void {
    this.loops.dispose();
    for (const each of this.compiled.values()) each.dispose();
    for (const { trace } of this.traced.values()) trace.graph.dispose();
    for (const { native } of [...this.gradients, ...this.statistics]) native.dispose();
    this.uncount();
    this.weights?.leave();
    this.update?.dispose();
    this.states?.dispose();
    this.held?.dispose();
  }

  private memory(): RankMemory {
    const { bound, weights, gradients } = this;
    const bytes = gradients.map(({ native }) => native.bytes);
    return {
      parameters: weights!.bytes,
      states: bound.native.bytes.states,
      gradients: bytes.reduce((sum, { kept }) => sum + kept, 0),
      messages: bytes.reduce((sum, { passing }) => sum + passing, 0),
    };
  }

  // The rows of the micro-batches of a batch, each size once, the largest first.
  private sizesOf(rows: number): number[] {
    const sizes = Array.from({ length: this.shards }, (_, s) => this.rowsOfShard(rows, s));
    return [...new Set(sizes)].filter((size) => size > 0).sort((a, b) => b - a);
  }

  private rowsOfShard(rows: number, shard: number): number {
    const { shards } = this;
    return Math.floor((rows * (shard + 1)) / shards) - Math.floor((rows * shard) / shards);
  }

  private trace(rows: number): TracedStages {
    const known = this.traced.get(rows);
    if (known) return known;
    const made = traceStages({
      ...passesOf(this.source, rows),
      bound: (trace) => (this.held ??= bindTo(this.source, trace, bindLater)),
    });
    this.traced.set(rows, made);
    return made;
  }

  private divide(traced: TracedStages): DividedStep {
    const { where } = this.source;
    if (traced.plain.nodes.length !== this.cut!.length) {
      throw new UnsupportedError(
        `${where}: the model computes something else for micro-batches of another number of rows, so that it cannot be cut alike; use a batchSize that microBatches and the samples divide evenly, or dropLast`,
      );
    }
    return new DividedStep(traced, this.cut!, this.layout.stages);
  }

  private stages(rows: number, step?: DividedStep): CompiledStages {
    const known = this.compiled.get(rows);
    if (known) return known;
    const { layout, bound } = this;
    const traced = this.trace(rows);
    const divided = step ?? this.divide(traced);
    const places = (list: readonly Parameter[]) => new Map(list.map((parameter, i) => [parameter, i]));
    const [trained, running] = [places(bound.parameters), places(traced.statistics)];
    const own = Array.from({ length: layout.chunks }, (_, chunk) => stageOf(layout.ranks, layout.rank, chunk));
    const made = new CompiledStages(divided, own, layout.passes, (stage, pass) => {
      const chunk = Math.floor(stage / layout.ranks);
      return pass === "F"
        ? divided.statisticDelivery(this.statistics[chunk]!, running)
        : divided.gradientDelivery(traced.kind, this.gradients[chunk]!, trained);
    });
    this.compiled.set(rows, made);
    return made;
  }

  private loop(program: StepProgram, samples: NativeDataset, rows: number): PipelineLoop {
    const { layout, gradients, statistics } = this;
    const microBatches = Array.from({ length: layout.ownMicroBatches }, (_, i) => {
      const size = this.rowsOfShard(rows, layout.firstMicroBatch + i);
      return size > 0 ? this.stages(size) : undefined;
    });
    const programs = [...new Set(microBatches.flatMap((stages) => stages?.all() ?? []))];
    const numbers = new Map<CompiledPass, number>(programs.map((pass, i) => [pass, i]));
    const exchanges = [...gradients, ...statistics];
    const plan = planInstructions({
      schedule: layout.schedule,
      rank: layout.rank,
      firstShard: layout.firstMicroBatch,
      microBatches,
      numberOf: (pass) => numbers.get(pass)!,
      exchangeOf: (chunk, pass) => exchangeOf(chunk, pass, gradients, statistics),
    });
    const native = call(
      () =>
        new addon.PipelineLoop({
          ...this.configOf(program),
          dataset: samples,
          rows,
          programs: programs.map((pass) => pass.native),
          slots: plan.slots,
          instructions: plan.instructions,
          exchanges: exchanges.map(({ native }, e) => ({
            exchange: native,
            gradients: e < gradients.length,
            tensors: this.update!.names[e]!,
          })),
        }),
    );
    return { native, plan, dispose: () => native.dispose() };
  }

  private configOf({ kind, numbers, bound }: StepProgram) {
    const { layout, holdings, update } = this;
    const { clipNorm } = bound.optimizer;
    const { tensor } = this.division;
    const owners = holdings!.owners.map((stage) => stage % layout.ranks);
    return {
      pipelines: layout.pipelines,
      told: layout.told,
      shards: this.shards,
      hyper: [HYPER, ...numbers.map(({ name }) => name)],
      hyperCounts: [bound.hyperShape[0] * bound.hyperShape[1], ...numbers.map(() => 1)],
      kind: kind as "rows" | "count" | "sum",
      update: update!.program?.native,
      optimizer: update!.takesSteps ? bound.native : undefined,
      maxNorm: clipNorm,
      sizes: bound.parameters.map(({ size }) => size),
      owners,
      tensor: tensor && {
        group: tensor,
        divided: bound.parameters.map(({ parametrization }) => parametrization?.part !== undefined),
      },
      shared: bound.parameters.flatMap((parameter, i) => {
        const readers = [...holdings!.readers[i]!].map((stage) => stage % layout.ranks);
        const to = [...new Set(readers)].filter((rank) => rank !== owners[i]);
        return to.length === 0 ? [] : [{ variable: parameter.native, from: owners[i]!, to }];
      }),
    };
  }

  private timelineOf({ native, plan }: PipelineLoop): TimedAction[] {
    const spans = native.spans();
    return Array.from({ length: spans.length / 3 }, (_, i) => {
      const [instruction, start, end] = [...spans.subarray(3 * i, 3 * i + 3)];
      return { ...plan.actions[instruction!]!, start: start!, end: end! };
    });
  }
}
