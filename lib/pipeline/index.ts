// Pipeline parallelism without ranks: schedules and their simulation, the division of a traced step in stages, the list of what a rank does.
export {
  makeSchedule,
  scheduleNames,
  stageOf,
  type PipelineAction,
  type PipelinePass,
  type PipelineSchedule,
  type PipelineScheduleName,
  type PipelineShape,
} from "./schedule.js";
export {
  nameOf,
  simulatePipeline,
  unitCost,
  type PipelineSimulation,
  type StageCost,
  type TimedAction,
} from "./simulate.js";
export { bytes as showBytes, drawPipeline, printPipeline, type Timeline } from "./draw.js";
export {
  crossingBytes,
  cutSegments,
  estimatedSeconds,
  segmentsOf,
  stagesOfNodes,
  workOf,
  type Segment,
} from "./divide.js";
export { divideGraph, type PlainGraph, type StageGraph } from "./stage-graph.js";
export { boundariesOf, compilePass, type Boundaries, type CompiledPass, type Delivery } from "./passes.js";
export { mostChunks, planInstructions, type InstructionPlan, type MicroBatchStages } from "./instructions.js";
