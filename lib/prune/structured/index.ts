// Structured pruning: whole channels, neurons and attention heads are taken away, and the shapes shrink with them.
export { sliceStates, StructuredPlan } from "./plan.js";
export type { PlannedCut, PlannedGroup } from "./plan-types.js";
export { applyStructured, planStructured } from "./planning.js";
export type { StructuredPruneOptions } from "./prune.js";
export type { KeptMaker } from "./groups.js";
export type { StructuredOptions, UnitAmount } from "./options.js";
export type { UnitScope } from "./selection.js";
export type { UnitKind } from "./value.js";
