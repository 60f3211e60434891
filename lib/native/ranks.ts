// The part of the addon's mirror that is about ranks.
import type {
  NativeCancel,
  NativeDataset,
  NativeLoopRequest,
  NativeLoopResult,
  NativeOptimizer,
  NativeProgram,
  NativeType,
  NativeVariable,
} from "./index.js";

/** native/bindings/ranks/parallel.cc: what ranks keep between the backward pass and the update. */
export interface NativeExchange {
  /** Of gradients from step to step, and of memory that messages and sums go through. */
  readonly bytes: { kept: number; passing: number; parameters?: number };
  /** The optimizer's parameters are gathered where the passes of a shard read them. */
  page(optimizer: NativeOptimizer): void;
  /** Makes all of them be there until the next step; called by all ranks. */
  gatherParameters(): Promise<void>;
  /** Those that are not there become NaN. */
  leaveParameters(): void;
  dispose(): void;
}

/** native/bindings/ranks/parallel.cc: some of the ranks, of which this is one. */
export interface NativeRankGroup {
  /** Its members, by their numbers among all ranks. */
  ranks(): number[];
  /** The place of this rank among them. */
  rank(): number;
}

/** native/bindings/ranks/parallel.cc: many steps of data parallelism in one call. */
export interface NativeShardedLoop {
  run(request: NativeLoopRequest, cancel?: NativeCancel): Promise<NativeLoopResult>;
  dispose(): void;
}

/** What it is made of. */
export interface NativeShardedLoopConfig {
  shards: { rows: number; program: NativeProgram }[];
  update: NativeProgram;
  dataset: NativeDataset;
  exchange: NativeExchange;
  tensors: readonly (readonly string[])[];
  rows: number;
  hyper: readonly string[];
  kind: "rows" | "count" | "sum";
  gradientBuckets: number;
}

/** native/bindings/ranks/pipeline.cc: many steps of pipeline parallelism in one call. */
export interface NativePipelineLoop {
  run(request: NativeLoopRequest, cancel?: NativeCancel): Promise<NativeLoopResult>;
  /** Of the last step, a row each: number of the instruction, start and end in seconds. Not while it runs. */
  spans(): Float64Array;
  dispose(): void;
}

/** What a rank does in a step, one after the other; see native/train/pipeline_loop.h. */
export type NativePipelineInstruction =
  | { kind: "run"; shard: number; program: number; exchange: number; feeds: number[]; results: number[] }
  | { kind: "send" | "receive"; slots: number[]; peer: number; channel: number; detail: string }
  | { kind: "skip"; shard: number; exchange: number };

/** What it is made of. */
export interface NativePipelineConfig {
  pipelines: readonly (readonly number[])[];
  told: readonly (readonly [first: number, count: number])[];
  dataset: NativeDataset;
  rows: number;
  shards: number;
  hyper: readonly string[];
  hyperCounts: readonly number[];
  kind: "rows" | "count" | "sum";
  programs: readonly NativeProgram[];
  slots: readonly number[];
  instructions: readonly NativePipelineInstruction[];
  exchanges: readonly { exchange: NativeExchange; gradients: boolean; tensors: readonly (readonly string[])[] }[];
  update: NativeProgram | undefined;
  optimizer: NativeOptimizer | undefined;
  maxNorm: number | undefined;
  sizes: readonly number[];
  owners: readonly number[];
  /** The ranks that have parameters among them, and which of these they are. */
  tensor: { readonly group: NativeRankGroup; readonly divided: readonly boolean[] } | undefined;
  shared: readonly { variable: NativeVariable; from: number; to: readonly number[] }[];
}

/** What native/bindings/ranks/parallel.cc and pipeline.cc export. */
export interface RanksAddon {
  /** What has started this process as a rank; name "" for nothing. */
  launcher(): { name: string; rank: number; size: number };
  /** Joins the other ranks, the first time; `deadline` in ms. */
  connect(deadline: number): Promise<{ rank: number; size: number; name: string; hosts: string[] }>;
  /** The texts of all ranks. */
  gatherTexts(text: string, what: string): Promise<string[]>;
  /** Every rank of a group, or of all, gets the values of its member number `root`. */
  broadcastVariables(variables: readonly NativeVariable[], root: number, group?: NativeRankGroup): Promise<void>;
  /** One rank's values become another's; for these two alone. */
  moveVariables(variables: readonly NativeVariable[], from: number, to: number): Promise<void>;
  /** A checksum of their values. */
  hashVariables(variables: readonly NativeVariable[]): Promise<string>;
  /** The states of an optimizer whose ranks divide them, as on one rank. */
  wholeStates(optimizer: NativeOptimizer): (NativeType & { name: string })[];
  /** Rank `root` of the optimizer's group gets all states; the others give no `wholes`. */
  gatherStates(optimizer: NativeOptimizer, wholes: readonly NativeVariable[], root: number): Promise<void>;
  /** Takes this rank's part of whole states. */
  takeStates(optimizer: NativeOptimizer, wholes: readonly NativeVariable[]): void;
  /** Tells all ranks that this one cannot go on. */
  failRanks(operation: string, step: number, sentence: string): void;
  /** Why the ranks can work together no longer. */
  ranksFailure(): { rank: number; host: string; operation: string; step: number } | undefined;
  /** Bytes of this rank, by kind of operation. */
  ranksLedger(): { name: string; calls: number; sent: number; received: number; seconds: number }[];
  /** What the process is about to end with. */
  noteExit(code: number): void;
  /** The one of these groups that this rank is in; without them that of all ranks. */
  RankGroup: new (name: string, groups?: readonly (readonly number[])[]) => NativeRankGroup;
  Exchange: new (
    shards: number,
    buckets: readonly { elements: readonly number[]; detail: string; scatter?: boolean; part?: boolean }[],
    group?: NativeRankGroup,
  ) => NativeExchange;
  PipelineLoop: new (config: NativePipelineConfig) => NativePipelineLoop;
  ShardedLoop: new (config: NativeShardedLoopConfig) => NativeShardedLoop;
}
