// Where a layer is faster with its inputs as integers. Rounding a row of x takes the time of some multiply-adds by it, so a layer of few
// outputs loses more than its product wins; a small weight is all overhead; and convolutions of 8 bits run as f32 ones of the same
// integers (native/ops/quant/quantized_conv.cc). The sizes are where no format was slower than f32 with AVX2 or AVX-512 (bench/formats.ts).
import { showShape, type Shape } from "../tensor/nd-array.js";
import type { Layout } from "./layout.js";
import type { Scheme } from "./scheme.js";

const leastOutputs = 64;
const leastInputs = 64;
const leastWeights = 16_384;

/** Why integer inputs would not make a layer with this weight faster; undefined: they do. */
export function whyNoGain(shape: Shape, { rows, inner }: Layout): string | undefined {
  if (shape.length > 2) return "convolutions of integers run at the speed of floats";
  if (rows < leastOutputs) return `rounding its inputs takes longer than ${rows} outputs win`;
  if (inner < leastInputs || rows * inner < leastWeights) {
    return `${showShape(shape)} is too small for integers to win`;
  }
  return undefined;
}

/** A scheme with its inputs as they are. */
export function withFloatInputs(scheme: Scheme): Scheme {
  const { grid } = scheme;
  const exact = grid.kind === "table" && grid.exact ? { ...grid, table: grid.exact } : grid;
  return { ...scheme, grid: exact, activations: "float" };
}
