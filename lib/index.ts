// Everything that `import … from "athanor"` offers.
import { noteFactories } from "./guidance/factories.js";
import * as losses from "./loss/index.js";
import * as metricFactories from "./metrics/index.js";
import { addon } from "./native/index.js";
import * as layers from "./nn/index.js";
import * as optimizers from "./optim/index.js";
import * as schedules from "./schedule/index.js";

export {
  AbortedError,
  ArgumentError,
  AthanorError,
  CommunicationError,
  CorruptFileError,
  DeviceError,
  DisposedError,
  DTypeError,
  FileError,
  InternalError,
  InterruptedError,
  LeaseLostError,
  LoadError,
  NonFiniteError,
  OutOfMemoryError,
  ShapeError,
  StateMismatchError,
  StorageError,
  TrialPrunedError,
  UnsupportedError,
  UnsupportedOpError,
  type CommunicationFault,
  type ErrorCode,
  type StateDifferences,
} from "./errors.js";
export * as device from "./device/index.js";
export * as loss from "./loss/index.js";
export * as nn from "./nn/index.js";
export * as optim from "./optim/index.js";
export * as ops from "./ops/index.js";
export { isa, isas } from "./native/isa.js";
export { nativeBytes, setThreads, threads } from "./native/threads.js";
export type { Isa } from "./native/index.js";
export {
  array,
  compile,
  Compiled,
  dtypes,
  explain,
  grad,
  NdArray,
  Parameter,
  Program,
  seed,
  Tensor,
  valueAndGrad,
  zeros,
  type Arrays,
  type Axes,
  type CompileOptions,
  type DType,
  type Fill,
  type Host,
  type InputSignature,
  type Operand,
  type Ordered,
  type ParameterOptions,
  type ReduceOptions,
  type RunOptions,
  type Shape,
  type Tree,
  type TypedArray,
} from "./tensor/index.js";
export * as artifact from "./artifact/index.js";
export * as data from "./data/index.js";
export * as distill from "./distill/index.js";
export * as metrics from "./metrics/index.js";
export { prune } from "./prune/index.js";
export { quantize, type QuantizeOptions, type Scheme } from "./quantize/index.js";
export * as parallel from "./parallel/index.js";
export * as report from "./report/index.js";
export * as schedule from "./schedule/index.js";
export * as train from "./train/index.js";
export { tune } from "./tune/index.js";
export type { FinishedTrial, Objective, ParamsOf, Pruner, Sampler, Space, Storage, Study, Trial, TuneOptions, TuneRun } from "./tune/index.js"; // prettier-ignore
export type { FitOptions } from "./train/index.js";
export type { PruneOptions, PruningSchedule } from "./prune/index.js";

noteFactories("loss", losses);
noteFactories("metrics", metricFactories, ["evaluate"]);
noteFactories("nn", layers, ["call", "feed", "feedAll", "inputFor"]);
noteFactories("nn.init", layers.init);
noteFactories("optim", optimizers, ["bind"]);
noteFactories("schedule", schedules, ["describe", "from", "fromJSON", "same"]);

/** The version of the engine. */
export const version: string = addon.version;
