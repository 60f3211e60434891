// What kind of values a tensor holds, as far as losses ask: a loss of scores that is given probabilities trains badly and says
// nothing, and so does a loss of probabilities that is given scores.
import type { ValueId } from "../native/index.js";
import { operations, type FlopRule, type OpName } from "../native/operations.js";

/** Probabilities of a softmax, of a sigmoid, or what a layer with a bias gives, which is no probability. */
export type Origin = "softmax" | "sigmoid" | "scores";

// Products are what is counted as one; operations of one operand that cost nothing pass its values on.
const productRules: ReadonlySet<unknown> = new Set<FlopRule>([
  "product",
  "rows",
  "kept_rows",
  "filters",
  "windows",
  "kept_filters",
]);
const isProduct = (op: OpName): boolean => productRules.has(operations[op].flops);
const passesOn = (op: OpName): boolean => operations[op].flops === 0 && operations[op].arity === 1;

/** The origins of the values of one trace. */
export class Origins {
  private readonly known = new Map<ValueId, Origin>();
  private readonly products = new Set<ValueId>();

  /** Notes an operation that was appended. */
  note(id: ValueId, op: OpName, inputs: readonly ValueId[]): void {
    if (op === "softmax" || op === "sigmoid") this.known.set(id, op);
    else if (isProduct(op)) this.products.add(id);
    else if (op === "add" && inputs.some((input) => this.products.has(input))) this.known.set(id, "scores");
    else if (passesOn(op)) this.pass(inputs[0]!, id);
  }

  /** What a value is, if it is known. */
  of(id: ValueId): Origin | undefined {
    return this.known.get(id);
  }

  private pass(from: ValueId, to: ValueId): void {
    const origin = this.known.get(from);
    if (origin) this.known.set(to, origin);
    if (this.products.has(from)) this.products.add(to);
  }
}
