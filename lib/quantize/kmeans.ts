// Tables by k-means over the weights in units of their scale (Han et al. 2016), as the engine's `kmeans` finds them
// (native/quant/kmeans.h). An error counts by its size in the weight, so by the square of the scale.
import type { NdArray } from "../tensor/nd-array.js";
import { compile } from "../tensor/compile.js";
import type { Tensor } from "../tensor/tensor.js";
import { currentTrace } from "../tensor/trace.js";
import type { FakeQuantizedParametrization } from "./fake-quantized-parametrization.js";
import { groupScales } from "./grid.js";
import { grouped, ungrouped } from "./layout.js";
import type { Target } from "./targets.js";

/** The table f32 [entries] of a target's weight, ascending, in units of the scale. */
export async function learnTable(
  where: string,
  target: Target,
  parametrization: FakeQuantizedParametrization,
): Promise<NdArray> {
  const { scheme, layout, parameter } = target;
  const { grid } = scheme;
  if (grid.kind !== "learned") throw new TypeError("the scheme has a table of its own");
  const find = compile(
    () => {
      const blocks = grouped(parametrization.scaled(currentTrace(where).parameter(parameter)), layout); // (N, G, group)
      const scale = groupScales(blocks, layout, scheme); // (N, G, 1)
      const weight = scale.div(scale.max()).square().broadcastTo(blocks.shape);
      const flat = (t: Tensor) => ungrouped(t, layout).reshape([-1]);
      return blocks.trace.apply("kmeans", [flat(blocks.div(scale)), flat(weight)], { entries: grid.entries });
    },
    { name: where },
  );
  try {
    return await find.run();
  } finally {
    find.dispose();
  }
}
