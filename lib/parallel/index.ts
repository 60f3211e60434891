// Training on several ranks: processes that `mpirun`, `srun` or Kubernetes has started, on one machine or many.
export { data, type DataOptions } from "./data.js";
export {
  pipeline,
  pipelineSchedule,
  simulate,
  type PipelineOptions,
  type PipelineScheduleOptions,
  type Simulated,
} from "./pipeline.js";
export { chromeTrace } from "./chrome-trace.js";
export { plan, type ParallelPlan, type PlanOptions } from "./plan.js";
export type { Machine, Prediction } from "./cost.js";
export { connect, ledger, memory, world, type LedgerRow, type RankInfo } from "./world.js";
export type {
  DataParallelism,
  Parallelism,
  PipelineParallelism,
  PipelinePlan,
  ZeroStage,
} from "../train/ranks/parallelism.js";
export type { RankMemory } from "../train/ranks/rank-memory.js";
export type { World } from "../train/ranks/ranks.js";
export { group, type RankGroup } from "./group.js";
export {
  allGather,
  allReduce,
  allToAll,
  broadcast,
  partsOf,
  receive,
  reduceScatter,
  replicated,
  send,
} from "./collectives.js";
export type {
  AllGatherOptions,
  AllReduceOptions,
  AllToAllOptions,
  GradientOption,
  ReceiveOptions,
  ReduceScatterOptions,
  SendOptions,
  Within,
} from "./collectives.js";
export { tensor, type DividedUnits, type TensorOptions, type TensorPlan, type WholeLayer } from "./tensor/plan.js";
export { mesh, type Mesh, type MeshOptions } from "./mesh.js";
export type {
  PipelineAction,
  PipelinePass,
  PipelineSchedule,
  PipelineScheduleName,
  PipelineSimulation,
  StageCost,
  TimedAction,
} from "../pipeline/index.js";
