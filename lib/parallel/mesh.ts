// Ranks in several dimensions: those that divide batches, those that have a model among them, those that have its stages.
import { requireCount } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import type { Module } from "../nn/index.js";
import type { DataParallelism, PipelineParallelism } from "../train/ranks/parallelism.js";
import { data, type DataOptions } from "./data.js";
import { group, type RankGroup } from "./group.js";
import { pipeline, type PipelineOptions } from "./pipeline.js";
import { tensor, type TensorOptions, type TensorPlan } from "./tensor/plan.js";
import { world } from "./world.js";

/** Extents of a {@link mesh}; their product is the number of ranks. */
export interface MeshOptions {
  /** Parts of every batch. Default what the others leave. */
  readonly data?: number | undefined;
  /** Parts of every layer. Default 1. */
  readonly tensor?: number | undefined;
  /** Stages of the model. Default 1. */
  readonly pipeline?: number | undefined;
}

/** The dimensions, the outermost first: neighbouring ranks, which a host has most likely, talk most. */
const dimensions = ["pipeline", "data", "tensor"] as const;
type Dimension = (typeof dimensions)[number];

/** Ranks in three dimensions; made by {@link mesh}. Printing it shows the groups. */
export class Mesh {
  readonly extents: Readonly<Record<Dimension, number>>;
  /** The place of this rank along each dimension. */
  readonly place: Readonly<Record<Dimension, number>>;
  /** This rank with those that differ from it along one dimension alone. */
  readonly groups: Readonly<Record<Dimension, RankGroup>>;

  /** @internal See {@link mesh}. */
  constructor(extents: Readonly<Record<Dimension, number>>, rank: number) {
    this.extents = extents;
    this.place = placeOf(extents, rank);
    // All ranks make the same groups in the same order.
    this.groups = Object.fromEntries(
      dimensions.map((dimension) => [dimension, group(dimension, groupsAlong(extents, dimension))]),
    ) as Record<Dimension, RankGroup>;
  }

  /** {@link data} among the ranks along the data dimension: for `train.fit({ parallel })`. */
  data(options: Omit<DataOptions, "group"> = {}): DataParallelism {
    return data({ ...options, group: this.groups.data });
  }

  /**
   * {@link pipeline} along the pipeline dimension: for `train.fit({ parallel })`. Ranks along the data dimension have copies of the stages
   * and divide the batch; a model that {@link Mesh.tensor} has divided stays so within every stage.
   */
  pipeline(options: Omit<PipelineOptions, "stages"> = {}): PipelineParallelism {
    const { pipeline: stages, tensor: columns } = this.extents;
    const made = pipeline({ ...options, stages });
    return columns === 1 ? made : Object.freeze({ ...made, tensor: this.groups.tensor.native });
  }

  /** {@link tensor} among the ranks along the tensor dimension. */
  tensor<M extends Module>(model: M, options: Omit<TensorOptions, "group" | "size"> = {}): TensorPlan<M> {
    return tensor(model, { ...options, group: this.groups.tensor });
  }

  /** The order of the ranks and all groups. */
  toString(): string {
    const { pipeline, data: parts, tensor: columns } = this.extents;
    const shown = (dimension: Dimension) =>
      groupsAlong(this.extents, dimension)
        .map((ranks) => `[${ranks.join(" ")}]`)
        .join(" ");
    return [
      `mesh of ${pipeline * parts * columns} ranks: rank = (pipeline · ${parts} + data) · ${columns} + tensor`,
      ...dimensions.map((dimension) => `${dimension} ${this.extents[dimension]}: ${shown(dimension)}`),
    ].join("\n");
  }
}

function placeOf({ data: parts, tensor: columns }: Readonly<Record<Dimension, number>>, rank: number) {
  return {
    pipeline: Math.floor(rank / (parts * columns)),
    data: Math.floor(rank / columns) % parts,
    tensor: rank % columns,
  };
}

// Ranks that differ along one dimension alone.
function groupsAlong(extents: Readonly<Record<Dimension, number>>, along: Dimension): number[][] {
  const size = extents.pipeline * extents.data * extents.tensor;
  const groups = new Map<string, number[]>();
  for (let rank = 0; rank < size; rank++) {
    const key = JSON.stringify({ ...placeOf(extents, rank), [along]: 0 });
    groups.set(key, [...(groups.get(key) ?? []), rank]);
  }
  return [...groups.values()];
}

/**
 * The ranks as a mesh, after {@link connect}: rank order and groups come out by printing it.
 *
 * @throws ArgumentError for extents whose product is not the number of ranks.
 * @example
 * await parallel.connect();
 * const mesh = parallel.mesh({ tensor: 1 });
 * console.log(String(mesh));
 * mesh.extents; // { pipeline: 1, data: 1, tensor: 1 } without a launcher
 */
export function mesh(options: MeshOptions = {}): Mesh {
  const where = "parallel.mesh";
  checkOptions(where, options, ["data", "tensor", "pipeline"]);
  const { rank, size } = world();
  const { tensor: columns = 1, pipeline = 1 } = options;
  for (const [name, extent] of Object.entries({ tensor: columns, pipeline, data: options.data ?? 1 })) {
    requireCount(where, name, extent);
  }
  const { data: parts = Math.max(1, Math.floor(size / (columns * pipeline))) } = options;
  if (parts * columns * pipeline !== size) {
    throw new ArgumentError(
      `${where}: data · tensor · pipeline must be the number of ranks, ${size}, got ${parts} · ${columns} · ${pipeline}; start ${parts * columns * pipeline} ranks, or leave out data`,
    );
  }
  return new Mesh({ pipeline, data: parts, tensor: columns }, rank);
}
