// Tables by k-means over the weights in units of their scale (Han et al. 2016): Lloyd's algorithm from evenly spaced entries, in
// the engine. The entry in the middle stays 0, so that pruned weights do. On a line the cells are intervals, which keeps the
// entries in order.
import { array, type NdArray } from "../tensor/nd-array.js";
import { compile } from "../tensor/compile.js";
import type { Tensor } from "../tensor/tensor.js";
import { currentTrace } from "../tensor/trace.js";
import type { FakeForm } from "./fake-form.js";
import { nearestEntry, stepsOf } from "./grid.js";
import { grouped, ungrouped } from "./layout.js";
import type { Target } from "./targets.js";

const rounds = 25;

/** One round of Lloyd's algorithm: every entry becomes the mean of the values nearest to it; one without values stays. */
export function lloydRound(u: Tensor, table: Tensor): Tensor {
  const entries = table.shape[0]!;
  const index = nearestEntry(u, table).reshape([-1]);
  const values = u.reshape([-1]).cast("f64"); // sums of many: f32 would lose the small ones
  const none = table.cast("f64").mul(0);
  const sums = none.scatterAdd(0, index, values);
  const counts = none.scatterAdd(0, index, values.mul(0).add(1));
  const moved = counts
    .gt(0)
    .where(sums.div(counts.maximum(1)), table.cast("f64"))
    .cast("f32");
  const middle = array(Uint8Array.from({ length: entries }, (_, i) => Number(i !== entries >> 1)));
  return moved.mul(table.trace.constant(middle).cast("f32"));
}

/** The table f32 [entries] of a target's weight, ascending, in units of the scale. */
export async function learnTable(where: string, target: Target, form: FakeForm): Promise<NdArray> {
  const { scheme, layout, parameter } = target;
  if (scheme.grid.kind !== "learned") throw new TypeError("the scheme has a table of its own");
  const { entries } = scheme.grid;
  const middle = entries >> 1;
  // Both halves evenly: from -1 to 0 and from 0 to 1.
  const spread = (i: number) => (i <= middle ? i / middle - 1 : (i - middle) / Math.max(1, entries - 1 - middle));
  let table = array(Float32Array.from({ length: entries }, (_, i) => spread(i)));
  const round = compile(
    (now: Tensor) => {
      const w = form.scaled(currentTrace(where).parameter(parameter));
      const u = ungrouped(grouped(w, layout).div(stepsOf(w, layout, scheme, now).scale), layout);
      return lloydRound(u, now);
    },
    { name: where },
  );
  try {
    for (let i = 0; i < rounds; ++i) table = await round.run(table);
  } finally {
    round.dispose();
  }
  return table;
}
