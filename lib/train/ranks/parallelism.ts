// How a run of `fit` is divided among ranks. `parallel` makes such plans; the arrow points from there to here.
import { ArgumentError, UnsupportedError } from "../../errors.js";
import { got } from "../../names/got.js";
import type { NativeRankGroup } from "../../native/ranks.js";
import { rules } from "../../native/rules.js";
import type { Optimizer } from "../../optim/index.js";
import { Module } from "../../nn/index.js";
import { lastDeadline } from "./ranks.js";
import type {
  PipelineSchedule,
  PipelineScheduleName,
  PipelineSimulation,
  StageCost,
  TimedAction,
} from "../../pipeline/index.js";

/** Stages of ZeRO; 0 is none of it. */
export type ZeroStage = 0 | 1 | 2 | 3;

/** Division of every batch among ranks; made by `parallel.data`. */
export interface DataParallelism {
  readonly kind: "data";
  /** Parts that every batch is cut into, whatever the number of ranks; undefined for the default. */
  readonly shards: number | undefined;
  /** Seconds within which ranks answer each other. */
  readonly deadline: number;
  /** Bytes of gradients that are exchanged at a time. */
  readonly bucketBytes: number;
  /** What ranks divide of what each would hold otherwise (ZeRO): 0 nothing, 1 the optimizer's states, 2 gradients as well, 3 also parameters. */
  readonly zero?: ZeroStage | undefined;
  /** After how many steps, again and again, ranks make sure that their weights are equal; undefined for never. */
  readonly compare?: number | undefined;
  /** The ranks that batches are divided among; undefined for all. */
  readonly group?: NativeRankGroup | undefined;
}

/** Ranks that have a model among them: each takes every batch. It follows from the model, which `parallel.tensor` has divided. */
export interface TensorParallelism {
  readonly kind: "tensor";
  readonly deadline: number;
}

/** A model cut in stages among ranks; made by `parallel.pipeline`. */
export interface PipelineParallelism {
  readonly kind: "pipeline";
  /** Ranks of one pipeline; undefined for all. */
  readonly stages: number | undefined;
  /** Micro-batches of a batch, over all copies of the model; undefined for the default. */
  readonly microBatches: number | undefined;
  readonly schedule: PipelineScheduleName | PipelineSchedule;
  /** Stages on each rank. */
  readonly chunks: number;
  /** Whether stages are cut by the time that layers take here, or by their operations. */
  readonly balance: "measured" | "flops";
  readonly deadline: number;
  readonly bucketBytes: number;
  /** The ranks that have every layer among them, neighbours; undefined where each has whole layers. */
  readonly tensor?: NativeRankGroup | undefined;
  readonly onPlan: ((plan: PipelinePlan) => void) | undefined;
  readonly onTimeline: ((timeline: readonly TimedAction[]) => void) | undefined;
}

/** How a model was cut, and what its schedule would come to. */
export interface PipelinePlan {
  /** Of every stage of the model. */
  readonly stages: readonly {
    /** The layers that it begins and ends with. */
    readonly layers: readonly [first: string, last: string];
    /** Rank in the pipeline. */
    readonly rank: number;
    /** Seconds of the passes of a micro-batch, as measured or estimated. */
    readonly cost: StageCost;
    /** Bytes that a micro-batch sends to the next stage. */
    readonly sends: number;
  }[];
  readonly simulation: PipelineSimulation;
  /** Stages and schedule for people. */
  toString(): string;
}

/** How a run is divided among ranks. */
export type Parallelism = DataParallelism | TensorParallelism | PipelineParallelism;

/** The number of shards where none was asked for: the same for 1 to 4 ranks, so that their bits are the same. */
export const defaultShards = (ranks: number): number => 2 ** Math.max(2, Math.ceil(Math.log2(ranks)));

/** What of a run goes by steps or by a clock, and its model. */
export interface RunClocks {
  readonly validate: { readonly every: { readonly kind: string } } | undefined;
  readonly checkpoint: { readonly every: { readonly kind: string } } | undefined;
  readonly model: unknown;
  readonly optimizer: Pick<Optimizer, "name" | "rule">;
}

/** @throws ArgumentError unless `value` was made by `parallel.data` or `parallel.pipeline`, and for a validation that goes by a clock. */
export function checkedParallelism(
  where: string,
  value: unknown,
  { validate, checkpoint, model, optimizer }: RunClocks,
): Parallelism | undefined {
  const divided =
    model instanceof Module && model.namedParameters().some(({ parameter }) => parameter.parametrization?.part);
  if (divided && checkpoint?.every.kind === "time") {
    throw new ArgumentError(
      `${where}: checkpoint: ranks do not share a clock, so that they cannot keep a divided model by time together; give every as a number of steps, or "epoch"`,
    );
  }
  requireDividingRule(where, optimizer, value as Partial<DataParallelism> | undefined, divided);
  const clock = () => requireNoClock(where, validate?.every.kind);
  if (value === undefined) {
    if (divided) clock();
    return divided ? { kind: "tensor", deadline: lastDeadline() } : undefined;
  }
  const kind = typeof value === "object" && value !== null ? (value as Partial<Parallelism>).kind : undefined;
  if (kind !== "data" && kind !== "pipeline") {
    const way = typeof value === "function" ? "; call it" : "";
    throw new ArgumentError(
      `${where}: parallel must be parallel.data() or parallel.pipeline(), got ${got(value)}${way}`,
    );
  }
  if (kind === "pipeline") requirePipeline(where, model, value as PipelineParallelism);
  const together = kind === "pipeline" ? "the ranks of a pipeline" : (value as DataParallelism).zero ? "ranks that divide states" : undefined; // prettier-ignore
  if (together !== undefined) requireSteps(where, together, checkpoint?.every.kind);
  clock();
  return value as Parallelism;
}

// A rule that looks at whole tensors cannot step parts of them, and one that looks at all of them together no stage.
function requireDividingRule(
  where: string,
  { name, rule }: Pick<Optimizer, "name" | "rule">,
  value: { readonly kind?: string; readonly zero?: ZeroStage | undefined } | undefined,
  isDivided: boolean,
): void {
  const { shardable } = rules[rule];
  if (shardable === "elementwise") return;
  const refuse = (what: string, way: string) => {
    throw new UnsupportedError(
      `${where}: optim.${name} looks at ${shardable === "whole" ? "all tensors together" : "whole tensors"}, ${what}; ${way}, or use a rule such as optim.adamW`,
    );
  };
  if (value?.zero) refuse(`of which ranks with zero: ${value.zero} step parts`, "leave out zero");
  if (isDivided) refuse("of which parallel.tensor gives every rank parts", "train it undivided");
  if (value?.kind === "pipeline" && shardable === "whole") {
    refuse("of which a pipeline gives every rank some", "use parallel.data()");
  }
}

// A model that is divided goes with a pipeline of the same mesh.
function requirePipeline(where: string, model: unknown, { tensor }: PipelineParallelism): void {
  const parts = model instanceof Module ? model.namedParameters() : [];
  const part = parts.find(({ parameter }) => parameter.parametrization?.part)?.parameter.parametrization?.part;
  if (!part || (tensor && String(tensor.ranks()) === String(part.group.ranks()))) return;
  throw new ArgumentError(
    `${where}: a model that parallel.tensor has divided is cut in stages by the mesh that it was divided by; divide it by mesh.tensor(model), and give mesh.pipeline() as parallel`,
  );
}

function requireSteps(where: string, together: string, checkpoint: string | undefined): void {
  if (checkpoint !== "time") return;
  throw new ArgumentError(
    `${where}: checkpoint: ${together} write checkpoints together and do not share a clock; give every as a number of steps, or "epoch"`,
  );
}

function requireNoClock(where: string, validation: string | undefined): void {
  if (validation !== "time") return;
  throw new ArgumentError(
    `${where}: validate: ranks do not share a clock, so that they cannot validate by time together; give every as a number of steps, or "epoch"`,
  );
}
