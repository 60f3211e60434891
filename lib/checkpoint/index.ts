// What a run needs to go on after its process ended.
export { Generations, type Generation, type Opened, type SetAside } from "./generations.js";
export { byDivision, compareIdentity, sampled, sections, type Identity, type Section } from "./identity.js";
export { readJson, writeJson, type Json } from "./json.js";
export {
  checkAllow,
  checkResume,
  millisecondsOf,
  planCheckpoint,
  planEvery,
  type CheckpointOptions,
  type CheckpointPlan,
  type Duration,
  type Every,
  type EveryOption,
  type Resume,
} from "./options.js";
export { both, RunState, type NamedVariable, type Participant } from "./run-state.js";
export { Stage } from "./stage.js";
export { findCheckpoint, messageOf, takeOver, warn } from "./resume.js";
