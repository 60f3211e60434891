// The rule of each operation, by what its row in native/graph/ops.def says of structured pruning. A name of the rows that no rule has does
// not compile, and neither does a rule that no row names.
import { operations, type OpName, type PruningRule } from "../../native/operations.js";
import { elementwiseRules } from "./elementwise.js";
import { layerRules, opaque } from "./layers.js";
import { movementRules } from "./movement.js";
import { productRules } from "./products.js";
import type { TracedNode } from "./traced.js";
import type { Rule } from "./value.js";

const all = { ...elementwiseRules, ...layerRules, ...movementRules, ...productRules, opaque };
type Unused = Exclude<keyof typeof all, PruningRule>;
const rules: [Unused] extends [never] ? Readonly<Record<PruningRule, Rule>> : never = all;

/** How structured pruning goes through an operation. */
export const pruningOf = ({ op }: TracedNode): PruningRule => operations[op as OpName].pruning;

/** The rule of an operation. */
export const ruleOf = (node: TracedNode): Rule => rules[pruningOf(node)];

/** Whether an operation goes element by element, so that its result has its operands' axes. */
export const isElementwise = (node: TracedNode): boolean => pruningOf(node) in elementwiseRules;
