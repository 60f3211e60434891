// One product with quantized weights on onnxruntime-node, x f32 in and y f32 out:
//   int8   DynamicQuantizeLinear and MatMulInteger, which it fuses with the scales
//   int4   MatMulNBits with accuracy_level 4: x is rounded to int8 as it comes
//
//   node ort-quant.mjs --case int4-g32-m1 --threads 1

import { fourBitModel, integerModel, weightsOf } from "./onnx-model.mjs";
import { serveModels } from "./ort.mjs";
import { readArguments } from "./side.mjs";

const run = readArguments("quant");
const { M, scheme, group } = run.definition;
const K = 4096;
const N = 4096;

/** Throws unless the first elements of y are those of a product of floats, but for the rounding of weights of `bits`. */
function check(x, y, bits) {
  const w = weightsOf(K, N); // [K, N] in the int8 model, [N, K] in the 4-bit one
  let [error, size] = [0, 0];
  for (let n = 0; n < 64; n++) {
    let exact = 0;
    for (let k = 0; k < K; k++) exact += x[k] * (bits === 8 ? w[k * N + n] : w[n * K + k]);
    error += (y[n] - exact) ** 2;
    size += exact ** 2;
  }
  const relative = Math.sqrt(error / size);
  const allowed = bits === 8 ? 0.03 : 0.2;
  if (!(relative < allowed)) throw new Error(`onnxruntime's product is off by ${relative} of its norm`);
}

const [models, bits] =
  scheme === "int8"
    ? [{ "scale for each channel": integerModel([K, N], true), "one scale": integerModel([K, N], false) }, 8]
    : [{ "": fourBitModel(K, N, group) }, 4];
await serveModels("quant", run, { batch: M, from: K, to: N, models, check: (x, y) => check(x, y, bits) });
