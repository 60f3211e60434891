// The typed mirror of the addon, and the only importer of the .node file. Every call's plain { code, message } errors are
// dressed in their classes by `call`.
// Long because it mirrors every class of the addon, and nothing else does.
import { join } from "node:path";
import { adopt } from "../errors.js";
import { load, packageRoot } from "./loader.js";
import type { OpName } from "./operations.js";
import type { NativeExchange, NativeRankGroup, RanksAddon } from "./ranks.js";
import type { NativeSearch } from "./search.js";
import type { NativeCsvRule, NativeCsvRuleHandle, NativeCsvScan } from "./tables.js";

export type { NativeSearchRequest } from "./search.js";
export type { NativeCsvColumn, NativeCsvRule, NativeCsvRuleHandle } from "./tables.js";

/** Instruction sets that the engine may have been built for. */
export type Isa = "scalar" | "avx2" | "avx512" | "neon";

export type NativeDType = "f32" | "f64" | "i32" | "u8" | "bool" | "bf16";
type NativeArray = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array;

/** A value of a traced graph: its number there. */
export type ValueId = number;

/** Element type and extents. */
export interface NativeType {
  dtype: NativeDType;
  shape: number[];
}

/** A named input or output of a program. */
export interface NativePort extends NativeType {
  name: string;
}

/** Constants of a node. */
export type NativeAttrs = Record<string, number | boolean | string | readonly number[] | undefined>;

/** native/bindings/cancel.cc: stops a run when told to. */
export interface NativeCancel {
  cancel(): void;
}

/** native/bindings/variable.cc: state that outlives runs. */
export interface NativeVariable {
  name: string;
  readonly type: NativeType;
  read(): ArrayBuffer;
  write(values: NativeArray): void;
  fill(kind: "constant" | "uniform" | "normal" | "truncated", a: number, b: number, seed: number, stream: number): void;
  /** Keeps elements at zero where a u8 variable of the same shape is 0, in optimizers' steps too; it is not to be written any more. */
  setMask(mask: NativeVariable | null): void;
  /** Gives the memory back, as another rank has the values; who reads them is refused until {@link occupy}, which makes them NaN. */
  vacate(): void;
  occupy(): void;
  copy(): NativeVariable;
  /** Whether both stand for the same values. */
  is(other: NativeVariable): boolean;
  dispose(): void;
}

/** One node of {@link NativeGraph.describe}. */
export interface NativeNode {
  op: string;
  inputs: ValueId[];
  outputs: number;
  attrs: Record<string, number | boolean | string | number[]>;
  scope: string;
  type?: NativeType;
  variable?: NativeVariable;
  constant?: ArrayBuffer;
  /** Of a collective: the ranks that it works within. */
  group?: NativeRankGroup;
}

/** native/bindings/graph.cc: a graph being traced. */
export interface NativeGraph {
  input(name: string, dtype: NativeDType, shape: readonly number[]): ValueId;
  parameter(variable: NativeVariable): ValueId;
  constant(dtype: NativeDType, shape: readonly number[], values: NativeArray): ValueId;
  scalar(value: number, dtype: NativeDType): ValueId;
  apply(op: OpName, inputs: readonly ValueId[], attrs?: NativeAttrs): ValueId;
  typeOf(value: ValueId): NativeType;
  valueCount(): number;
  gradients(loss: ValueId, values: readonly ValueId[]): ValueId[];
  assign(variable: NativeVariable, value: ValueId): void;
  optimizerStep(optimizer: NativeOptimizer, gradients: readonly ValueId[], hyper: ValueId, loss?: ValueId): ValueId;
  /** Delivers values of a bucket as soon as they are made; weighted by the shard's part of the batch, as they are, or by a value. */
  gradientBucket(
    exchange: NativeExchange,
    bucket: number,
    values: readonly ValueId[],
    weight: "share" | "one" | ValueId,
  ): void;
  /** A collective within a group of ranks. */
  collective(op: OpName, group: NativeRankGroup, inputs: readonly ValueId[], attrs: NativeAttrs): ValueId;
  setScope(scope: string): void;
  setOutputs(names: readonly string[], values: readonly ValueId[]): void;
  compile(options?: { optimize?: boolean; device?: string | undefined }): NativeProgram;
  print(format: "text" | "dot"): string;
  passes(): { pass: string; text: string }[];
  describe(): { nodes: NativeNode[]; outputs: { name: string; value: ValueId; type: NativeType }[] };
  dispose(): void;
}

/** What a compiled program does, step by step. */
export interface NativeReport {
  steps: { op: string; detail: string; flops: number; bytes: number }[];
  arenaBytes: number;
  unplannedBytes: number;
  graph: string;
}

/** native/bindings/program.cc: a compiled graph. */
export interface NativeProgram {
  readonly inputs: NativePort[];
  readonly outputs: NativePort[];
  run(
    feeds: readonly NativeArray[],
    results: readonly (NativeArray | null)[],
    seed: number,
    step: number,
    cancel?: NativeCancel,
    guard?: number,
  ): Promise<void>;
  runSync(feeds: readonly NativeArray[], results: readonly (NativeArray | null)[], seed: number, step: number): void;
  profile(
    feeds: readonly NativeArray[],
    results: readonly (NativeArray | null)[],
    seed: number,
    step: number,
  ): Promise<Float64Array>;
  report(): NativeReport;
  dispose(): void;
}

/** native/bindings/training.cc: an update rule with its states. */
export interface NativeOptimizer {
  readonly states: NativeVariable[];
  /** Of parameters, and of the states that this rank keeps of them. */
  readonly bytes: { parameters: number; states: number };
  steps: number;
  /** The i-th of `states` in f32, whatever it is kept in. */
  readState(i: number): ArrayBuffer;
  stateShape(i: number): number[];
  writeState(i: number, values: Float32Array): void;
  /** Takes the i-th of `states` from a variable that holds it in any format. */
  takeState(i: number, from: NativeVariable): void;
  dispose(): void;
}

/** native/bindings/training.cc: samples in native memory. */
export interface NativeDataset {
  readonly rows: number;
  /** Writes rows of a column from `first` on; not while a loop reads them. */
  write(name: string, first: number, rows: number, data: NativeArray): void;
  dispose(): void;
}

/** What {@link NativeLoop.run} is asked for. */
export interface NativeLoopRequest {
  seed: number;
  epoch: number;
  shuffle: boolean;
  firstRow: number;
  steps: number;
  firstStep: number;
  hyper?: Float64Array;
}

/** What it answers. */
export interface NativeLoopResult {
  steps: number;
  cancelled: boolean;
  /** Whether it stopped at a step whose guard is not 0. */
  guarded: boolean;
  records: Float64Array;
  collected: ArrayBuffer[];
  seconds: number;
}

/** native/bindings/training.cc: many steps of a program in one call. */
export interface NativeLoop {
  readonly batch: number;
  run(request: NativeLoopRequest, cancel?: NativeCancel): Promise<NativeLoopResult>;
  dispose(): void;
}

/** A tensor of a file. Types that the engine lacks have the file's name for them (`I8`) and raw bytes. */
export interface StoredTensor<Data> {
  name: string;
  dtype: string;
  shape: readonly number[];
  data: Data;
}

/** What native/bindings/ exports. */
export interface Addon extends NativeSearch, RanksAddon {
  readonly version: string;
  /** The instruction set in use. */
  isa(): Isa;
  /** Those that this build has and this processor can run, best first. */
  isas(): Isa[];
  /** Empty, or the sentence why `ATHANOR_ISA` was not followed. */
  isaWarning(): string;
  /** Switches the instruction set for programs compiled later; for tests and benchmarks. */
  setIsa(name: Isa): void;
  /** Threads of the process's pool. */
  threads(): number;
  /** Changes that number for programs compiled later. */
  setThreads(count: number): void;
  /** Bytes of tensors in native memory, of the whole process. */
  nativeBytes(): number;
  opNames(): string[];
  /** Every device but the CPU, or why a kind is not there. */
  devices(): {
    name: string;
    available: boolean;
    detail: string;
    why: string;
    totalBytes: number;
    freeBytes: number;
    allocatedBytes: number;
  }[];
  /** Where builds of the package put the plugins of devices. */
  setDeviceFolder(path: string): void;
  /** Calls into a device's plugin since it was opened, and what the plugin counted in them: kernels, copies, waits. For tests. */
  deviceCalls(name: string): { calls: number; launches: number; copies: number; waits: number };
  /** XXH64 of some bytes, as 16 hexadecimal digits. */
  xxh64(bytes: Uint8Array): string;
  /** The bytes of a file of at most `most` bytes in an open folder; errors begin with `operation` and name the file as `shown`. */
  readGraph(folder: number, name: string, shown: string, operation: string, most: number): Promise<ArrayBuffer>;
  /** Reads a whole file of tensors in an open folder, and checks that it is the one with this length and hash. */
  readSafetensors(
    folder: number,
    name: string,
    shown: string,
    operation: string,
    expected?: { readonly bytes: number; readonly xxh64: string },
  ): Promise<StoredTensor<ArrayBuffer>[]>;
  /** Writes the files of an artifact as the folder `place`, atomically; checksums are added to the JSON of the graph. */
  writeArtifact(
    place: string,
    graph: string,
    tensors: readonly StoredTensor<NativeArray>[],
    operation: string,
  ): Promise<void>;
  /** Variables of the same types, zeros, whose memory is taken off the event loop. */
  makeVariables(like: readonly NativeVariable[]): Promise<NativeVariable[]>;
  /** to[i] ← from[i], all as of one moment between two steps. */
  copyVariables(from: readonly NativeVariable[], to: readonly NativeVariable[]): Promise<void>;
  /** Writes a checkpoint as the folder `place`, atomically, without a copy in JavaScript; nobody may change the variables meanwhile. */
  writeState(
    place: string,
    json: string,
    names: readonly string[],
    variables: readonly NativeVariable[],
    operation: string,
  ): Promise<void>;
  /** The JSON of a checkpoint, if all of it is as it was written. */
  readState(place: string, operation: string): Promise<string>;
  /** Reads tensors of a checkpoint into variables: all of them, or none. */
  readVariables(
    place: string,
    names: readonly string[],
    variables: readonly NativeVariable[],
    operation: string,
  ): Promise<void>;
  /** Removes a checkpoint and nothing else. */
  removeState(place: string): Promise<void>;
  /** Images [n, C, H, W], u8 or f32, changed at random by (seed, epoch, number of the image); `x` is not to be written meanwhile. */
  augmentImages(
    x: NativeArray,
    shape: readonly number[],
    how: Readonly<
      Record<
        | "flipLeftRight"
        | "flipUpDown"
        | "pad"
        | "cutout"
        | "fill"
        | "rotate"
        | "brightness"
        | "contrast"
        | "saturation"
        | "hue"
        | "bound"
        | "seed"
        | "epoch"
        | "first",
        number
      >
    >,
  ): Promise<ArrayBuffer>;
  /** A whole group of samples blended with one another, and their targets f32 [n, targets]; neither is to be written meanwhile. */
  blendSamples(
    x: NativeArray,
    shape: readonly number[],
    y: Float32Array,
    how: Readonly<Record<"targets" | "alpha" | "share" | "seed" | "epoch" | "first", number>> & {
      readonly isCut: boolean;
    },
  ): Promise<{ readonly x: ArrayBuffer; readonly y: ArrayBuffer }>;
  /** How rows of a file of comma-separated text become numbers. */
  csvRule(rule: NativeCsvRule): NativeCsvRuleHandle;
  /** Up to `most` rows of an open file from byte `offset` on; without a rule all of them come as cells. */
  scanCsv(
    descriptor: number,
    shown: string,
    offset: number,
    line: number,
    grammar: { readonly delimiter: string; readonly recordDelimiter: string },
    rule: NativeCsvRuleHandle | undefined,
    most: number,
    operation: string,
  ): Promise<NativeCsvScan>;
  /** Windows of `length` tokens of `bytes` bytes each from an open file, as i32 [starts, length]. */
  readWindows(
    descriptor: number,
    bytes: number,
    starts: Float64Array,
    length: number,
    shown: string,
    operation: string,
  ): Promise<ArrayBuffer>;
  Cancel: new () => NativeCancel;
  Variable: new (dtype: NativeDType, shape: readonly number[], name: string) => NativeVariable;
  Graph: new () => NativeGraph;
  Optimizer: new (
    rule: string,
    groups: { variables: NativeVariable[]; hyper: Float64Array; states?: string }[],
    options: {
      maxNorm?: number;
      clipValue?: number;
      gradScale?: number;
      wantNorm?: boolean;
      skipNonfinite?: boolean;
      /** Which parameters are parts of larger ones that the ranks of the group have among them. */
      divided?: readonly boolean[];
      group?: NativeRankGroup;
      /** The ranks that divide the states, and the parameters by number as their gradients are exchanged. */
      shards?: { group: NativeRankGroup; buckets: readonly (readonly number[])[]; parameters?: boolean };
    },
  ) => NativeOptimizer;
  Dataset: new (
    columns: { name: string; dtype: NativeDType; shape: readonly number[]; data: NativeArray }[],
  ) => NativeDataset;
  Loop: new (
    program: NativeProgram,
    dataset: NativeDataset,
    options: {
      hyper?: readonly string[];
      record?: readonly string[];
      collect?: readonly string[];
      guard?: string;
    },
  ) => NativeLoop;
}

/** The addon; loading throws `LoadError` with remedies where it cannot be had. */
export const addon = load() as Addon;
addon.setDeviceFolder(join(packageRoot(), "build", "cuda"));

/** Calls into the addon; its errors come out as `AthanorError`s with the caller's stack. */
export function call<T>(body: () => T, where?: string): T {
  try {
    return body();
  } catch (thrown) {
    throw adopt(thrown, where);
  }
}

/** The same for its promises. */
export async function callAsync<T>(body: () => Promise<T>, where?: string): Promise<T> {
  try {
    return await body();
  } catch (thrown) {
    throw adopt(thrown, where);
  }
}
