// The loss of a data set from the losses of its batches: means weighted by what each batch counted, sums added. Batches of any size
// give the same value.
import { weightOf } from "../../ops/batch-weight.js";
import { concat } from "../../ops/join.js";
import { Tensor } from "../../tensor/tensor.js";

/** Name of the output with what there is to know of a batch's loss, f32 [{@link countsOf}]. */
export const COUNT = "#count";

/**
 * How batches add up: means over all rows, means over the rows that count, sums; or, with a loss of a task beside distillation, a part
 * that is a mean over the rows that count, or a sum, and the rest a mean over all rows.
 */
export type LossKind = "rows" | "count" | "sum" | "part count" | "part sum";

/** Numbers that tell how a batch adds up: its count; its part and the count of that; its part. */
export const countsOf = (kind: LossKind): number =>
  ({ rows: 0, sum: 0, count: 1, "part count": 2, "part sum": 1 })[kind];

/** How the loss of a batch adds up, and the numbers that tell. */
export function kindOfLoss(loss: Tensor): { readonly kind: LossKind; readonly count: Tensor | undefined } {
  const weight = weightOf(loss);
  if (weight === "sum") return { kind: "sum", count: undefined };
  if (weight === undefined) return { kind: "rows", count: undefined };
  if (weight instanceof Tensor) return { kind: "count", count: weight };
  const { part, weight: own } = weight;
  if (own === "sum") return { kind: "part sum", count: part };
  return { kind: "part count", count: concat([part.reshape([1]), own.cast(part.dtype).reshape([1])]) };
}

/** What {@link LossTotal} has come to. */
export interface LossTotalState {
  readonly sum: number;
  readonly weight: number;
  /** Whether the losses of the batches are sums. */
  readonly sums: boolean;
  /** What lies beside the parts, and its rows. */
  readonly rest?: number;
  readonly rows?: number;
}

/** Adds up losses of batches. */
export class LossTotal {
  private sum = 0;
  private weight = 0;
  private sums = false;
  private rest = 0;
  private rows = 0;

  /** Takes in the loss of a batch of `rows`, with the numbers of its kind. */
  add(kind: LossKind, loss: number, rows: number, counts: readonly number[] = []): void {
    const inParts = kind === "part count" || kind === "part sum";
    const part = inParts ? counts[0]! : loss;
    const weight = kind === "rows" ? rows : kind === "count" ? counts[0]! : kind === "part count" ? counts[1]! : 1;
    this.sums = kind === "sum" || kind === "part sum";
    if (inParts) {
      this.rest += (loss - part) * rows;
      this.rows += rows;
    }
    if (weight === 0) return;
    this.sum += part * weight;
    this.weight += weight;
  }

  /** What it has come to. */
  state(): LossTotalState {
    const { sum, weight, sums, rest, rows } = this;
    return { sum, weight, sums, ...(rows > 0 && { rest, rows }) };
  }

  /** Goes on from there. */
  restore(state: LossTotalState): void {
    Object.assign(this, state);
  }

  /** The mean over all rows that counted, NaN where none did; the sum of sums. Beside them the mean of the rest. */
  get value(): number {
    const { sum, weight, sums, rest, rows } = this;
    if (rows === 0) return sums ? sum : sum / weight;
    return (sums || weight === 0 ? sum : sum / weight) + rest / rows;
  }
}
