// Cross-entropy over classes that ranks have parts of: every rank looks at its own classes, and what is exchanged are two numbers a row
// instead of all logits (parallel cross-entropy of Megatron-LM, Shoeybi et al. 2019).
import { array } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Gathered } from "../tensor/trace.js";

/** What a label counts for. */
export interface ClassOptions {
  readonly smoothing: number;
  readonly ignoreIndex: number | undefined;
}

/** Losses [rows] of labels [rows] i32, and how many rows count, f32 []. */
export function gatheredCrossEntropy(
  { part, sizes, group }: Gathered,
  labels: Tensor,
  { smoothing, ignoreIndex }: ClassOptions,
): { losses: Tensor; counted: Tensor } {
  const { trace } = part;
  const classes = sizes.reduce((sum, size) => sum + size, 0);
  const first = sizes.slice(0, group.rank()).reduce((sum, size) => sum + size, 0);
  const own = sizes[group.rank()]!;
  const rows = part.reshape([-1, own]);
  const counted = ignoreIndex === undefined ? labels.eq(labels) : labels.ne(ignoreIndex);
  const safe = counted.where(labels, labels.mul(0));
  const largest = trace.collective("all_reduce", group, [rows.max(-1, { keep: true }).stopGradient()], {
    reduce: "max",
  });
  const shifted = rows.sub(largest.stopGradient());
  const inside = safe.trace.apply("logical_and", [safe.ge(first), safe.lt(first + own)]);
  const local = inside.where(safe.sub(first), safe.mul(0)).reshape([-1, 1]);
  const picked = trace.apply("gather", [shifted, local], { axis: 1 }).mul(inside.cast("f32").reshape([-1, 1]));
  const sums = [shifted.exp().sum(-1, { keep: true }), picked];
  if (smoothing > 0) sums.push(shifted.sum(-1, { keep: true }));
  const joined = trace.apply("concat", sums, { axis: 1 });
  const all = trace.collective("all_reduce", group, [joined], { gradient: "same" });
  const column = (at: number) => all.slice(null, [at, at + 1]).reshape([-1]);
  const log = column(0).log();
  const truth =
    smoothing > 0
      ? column(1)
          .mul(1 - smoothing)
          .add(column(2).mul(smoothing / classes))
      : column(1);
  const weights = counted.cast("f32");
  return { losses: log.sub(truth).mul(weights).add(noClass(safe, classes)), counted: weights.sum() };
}

// 0 for every label; a run that meets one that is no class ends with a sentence, on all ranks.
function noClass(labels: Tensor, classes: number): Tensor {
  const table = labels.trace.constant(array(new Float32Array(0), [classes, 0]));
  return labels.trace.apply("embedding", [table, labels]).sum(-1);
}
