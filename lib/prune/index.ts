// Pruning: `prune` of the package, a function with its parts as properties.
import { l1, l2, movement, random, snip, taylor, wanda } from "./criteria.js";
import { pack } from "./pack.js";
import { unpack } from "./unpack.js";
import { mask, pruneModel } from "./prune.js";
import { report } from "./report.js";
import { cubic, iterative, linear, lottery, oneShot } from "./schedule.js";
import { sparsity } from "./sparsity.js";
import { applyStructured, planStructured, sliceStates, StructuredPlan } from "./structured/index.js";

/** Prunes a clone of a model; see {@link pruneModel}. Criteria, schedules and tools are its properties. */
export const prune = Object.assign(pruneModel, {
  mask,
  pack,
  unpack,
  sparsity,
  report,
  // Criteria
  l1,
  l2,
  random,
  taylor,
  movement,
  wanda,
  snip,
  // Schedules
  oneShot,
  linear,
  cubic,
  iterative,
  lottery,
  // Structured pruning
  plan: planStructured,
  applyStructured,
  sliceStates,
  StructuredPlan,
});

export type { Criterion, CriterionInputs, Scope } from "./criteria.js";
export type { During, MaskOptions, PruneOptions } from "./options.js";
export type { PruneReport } from "./report.js";
export type {
  GradualOptions,
  IterativeOptions,
  LotteryOptions,
  LotterySchedule,
  OneShotOptions,
  PruningSchedule,
} from "./schedule.js";
export type { SparseParametrization, SparseParts } from "./sparse-parametrization.js";
export type { LayerSparsity, Sparsity } from "./sparsity.js";
export type { Structure } from "./structure.js";
export type { Amount } from "./targets.js";
export type {
  KeptMaker,
  PlannedCut,
  PlannedGroup,
  StructuredOptions,
  StructuredPlan,
  StructuredPruneOptions,
  UnitAmount,
  UnitKind,
  UnitScope,
} from "./structured/index.js";
