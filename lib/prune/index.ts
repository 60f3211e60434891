// Pruning: what of a model can go. `prune` of the package.
export { applyStructured, planStructured as plan, sliceStates, StructuredPlan } from "./structured/index.js";
export type {
  KeptMaker,
  PlannedCut,
  PlannedGroup,
  StructuredOptions,
  UnitAmount,
  UnitCriterion,
  UnitCriterionInputs,
  UnitKind,
  UnitScope,
  WeightScores,
} from "./structured/index.js";
