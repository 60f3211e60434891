// Which rank has which stage of which copy of the model. Ranks that hold the same stage are neighbours, and among them those that have
// its layers among them: rank = (place in the pipeline · copies + copy) · columns + column.
import { ArgumentError } from "../../errors.js";
import { makeSchedule, stageOf, type PipelinePass, type PipelineSchedule } from "../../pipeline/index.js";
import type { PipelineParallelism } from "./parallelism.js";
import { joinedWorld } from "./ranks.js";

/** The ranks of a run with pipelines. */
export class PipelineLayout {
  /** This rank among all. */
  readonly world: number;
  /** Ranks of one pipeline, and this one's place among them. */
  readonly ranks: number;
  readonly rank: number;
  /** Copies of the model, and the one that this rank is in. */
  readonly copies: number;
  readonly copy: number;
  /** Ranks that have every layer among them, and this one's place among these. */
  readonly columns: number;
  readonly column: number;
  /** Stages on each rank. */
  readonly chunks: number;
  /** Micro-batches of a batch, over all copies. */
  readonly microBatches: number;
  /** What one pipeline does. */
  readonly schedule: PipelineSchedule;

  /** @throws ArgumentError where ranks and stages do not fit. */
  constructor(where: string, { stages, microBatches, schedule, chunks, tensor }: PipelineParallelism) {
    const { rank: world, size: all } = joinedWorld()!;
    this.world = world;
    this.columns = tensor?.ranks().length ?? 1;
    this.column = tensor?.rank() ?? 0;
    const [size, rank] = [all / this.columns, Math.floor(world / this.columns)];
    this.ranks = stages ?? size;
    if (size % this.ranks !== 0) {
      throw new ArgumentError(
        `${where}: ${size} ${size === 1 ? "rank" : "ranks"} cannot hold pipelines of parallel.pipeline({ stages: ${this.ranks} }); start a multiple of ${this.ranks} ranks: mpirun -n ${this.ranks}${size === 1 ? `, or give { stages: 1, schedule: "interleaved", chunks: ${this.ranks} } to run all stages on one rank` : ""}`,
      );
    }
    this.copies = size / this.ranks;
    this.rank = Math.floor(rank / this.copies);
    this.copy = rank % this.copies;
    this.chunks = chunks;
    this.microBatches = microBatches ?? 4 * this.ranks * this.copies;
    if (this.microBatches % this.copies !== 0) {
      throw new ArgumentError(
        `${where}: the ${this.copies} copies of the model take the same number of micro-batches, got microBatches: ${this.microBatches}; give a multiple of ${this.copies}`,
      );
    }
    this.schedule =
      typeof schedule === "string"
        ? makeSchedule(where, schedule, { ranks: this.ranks, microBatches: this.ownMicroBatches, chunks })
        : schedule;
    const own = this.schedule;
    if (own.ranks !== this.ranks || own.microBatches !== this.ownMicroBatches || own.chunks !== chunks) {
      throw new ArgumentError(
        `${where}: the schedule "${own.name}" is for ${own.ranks} ranks, ${own.microBatches} micro-batches and chunks: ${own.chunks}, but the run has ${this.ranks}, ${this.ownMicroBatches} and ${chunks}`,
      );
    }
  }

  /** Stages of the model. */
  get stages(): number {
    return this.ranks * this.chunks;
  }

  get ownMicroBatches(): number {
    return this.microBatches / this.copies;
  }

  get firstMicroBatch(): number {
    return this.copy * this.ownMicroBatches;
  }

  /** Whether this rank has a stage. */
  isOwn(stage: number): boolean {
    return stage % this.ranks === this.rank;
  }

  /** The passes that the schedule takes. */
  get passes(): PipelinePass[] {
    return [...new Set(this.schedule.actions.flat().map(({ pass }) => pass))];
  }

  /** Ranks of the world, by pipeline. */
  get pipelines(): number[][] {
    return this.groupsAlong((rank) => rank % (this.copies * this.columns));
  }

  /** Ranks of the world that hold the same parts of the same stages. */
  get sameStage(): number[][] {
    const { copies, columns } = this;
    return this.groupsAlong((rank) => Math.floor(rank / (copies * columns)) * columns + (rank % columns));
  }

  /** Ranks of the world that hold the same parts of layers, of all stages. */
  get sameColumn(): number[][] {
    return this.groupsAlong((rank) => rank % this.columns);
  }

  /** The micro-batches whose losses each rank of the world tells: first and count. */
  get told(): [first: number, count: number][] {
    const { ranks, copies, columns, chunks, ownMicroBatches } = this;
    const last = stageOf(ranks, ranks - 1, chunks - 1) % ranks;
    return Array.from({ length: ranks * copies * columns }, (_, rank) => {
      const [place, copy] = [Math.floor(rank / (copies * columns)), Math.floor(rank / columns) % copies];
      return place === last && rank % columns === 0 ? [copy * ownMicroBatches, ownMicroBatches] : [0, 0];
    });
  }

  /** The rank of the world that speaks for a stage to those with the same column. */
  speakerOf(stage: number): number {
    return (stage % this.ranks) * this.copies * this.columns + this.column;
  }

  // Ranks of the world that have the same key, in the order of their first members.
  private groupsAlong(key: (rank: number) => number): number[][] {
    const groups = new Map<number, number[]>();
    for (let rank = 0; rank < this.ranks * this.copies * this.columns; rank++) {
      groups.set(key(rank), [...(groups.get(key(rank)) ?? []), rank]);
    }
    return [...groups.values()];
  }
}
