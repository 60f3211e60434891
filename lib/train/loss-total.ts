// The loss of a data set from the losses of its batches: means weighted by what each batch counted, sums added. Batches of any size
// give the same value.
import { weightOf } from "../ops/batch-weight.js";
import type { Tensor } from "../tensor/tensor.js";

/** Name of the output with the number of rows that a batch's loss counted. */
export const COUNT = "#count";

/** How batches add up: means over all rows, means over the rows that count, or sums. */
export type LossKind = "rows" | "count" | "sum";

/** How the loss of a batch adds up, and what tells its count where some rows do not count. */
export function kindOfLoss(loss: Tensor): { readonly kind: LossKind; readonly count: Tensor | undefined } {
  const weight = weightOf(loss);
  if (weight === "sum") return { kind: "sum", count: undefined };
  return weight === undefined ? { kind: "rows", count: undefined } : { kind: "count", count: weight };
}

/** What {@link LossTotal} has come to. */
export interface LossTotalState {
  readonly sum: number;
  readonly weight: number;
  /** Whether the losses of the batches are sums. */
  readonly sums: boolean;
}

/** Adds up losses of batches. */
export class LossTotal {
  private sum = 0;
  private weight = 0;
  private sums = false;

  /** Takes in the loss of a batch of `rows`, of which `count` counted. */
  add(kind: LossKind, loss: number, rows: number, count: number | undefined): void {
    const weight = kind === "rows" ? rows : kind === "count" ? count! : 1;
    this.sums = kind === "sum";
    if (weight === 0) return;
    this.sum += loss * weight;
    this.weight += weight;
  }

  /** What it has come to. */
  state(): LossTotalState {
    const { sum, weight, sums } = this;
    return { sum, weight, sums };
  }

  /** Goes on from there. */
  restore(state: LossTotalState): void {
    Object.assign(this, state);
  }

  /** The mean over all rows that counted, NaN where none did; the sum of sums. */
  get value(): number {
    return this.sums ? this.sum : this.sum / this.weight;
  }
}
