// The models that onnxruntime-node is measured on: multilayer perceptrons with relu between the layers in f32 or in int8, and
// a product with 4-bit weights. Inputs `x` (N, K), results `y`; He-normal weights from a fixed sequence, biases 0.

import { constant, FLOAT, model, node } from "./onnx-file.mjs";

const sequence = () => {
  let state = 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
};

/** He-normal weights [fan, width], the next of a repeatable sequence. */
export function weightsOf(fan, width, random = sequence()) {
  const normal = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
  return Float32Array.from({ length: fan * width }, () => normal() * Math.sqrt(2 / fan));
}

const denseLayer = (i, x, y, w, fan, width) => [
  constant(`w${i}`, [fan, width], w),
  constant(`b${i}`, [width], new Float32Array(width)),
  node("Gemm", [x, `w${i}`, `b${i}`], [y]),
];

/** The largest |w| of every column of w [fan, width] / 127, or of all columns. */
function scalesOf(w, width, perChannel) {
  const largest = new Float32Array(perChannel ? width : 1);
  w.forEach((value, k) => {
    const n = perChannel ? k % width : 0;
    largest[n] = Math.max(largest[n], Math.abs(value));
  });
  return largest.map((value) => value / 127);
}

// y = float(integers of x · integers of w) · (scale of x · scale of w) + b; onnxruntime fuses these into one operation.
function integerLayer(i, x, y, w, fan, width, perChannel) {
  const scales = scalesOf(w, width, perChannel);
  const integers = Int8Array.from(w, (value, k) => Math.round(value / scales[perChannel ? k % width : 0]));
  const dims = perChannel ? [width] : [];
  return [
    constant(`w${i}`, [fan, width], integers),
    constant(`s${i}`, dims, scales),
    constant(`wz${i}`, dims, new Int8Array(scales.length)),
    constant(`b${i}`, [width], new Float32Array(width)),
    node("DynamicQuantizeLinear", [x], [`q${i}`, `qs${i}`, `qz${i}`]),
    node("MatMulInteger", [`q${i}`, `w${i}`, `qz${i}`, `wz${i}`], [`i${i}`]),
    node("Cast", [`i${i}`], [`f${i}`], { to: FLOAT }),
    node("Mul", [`qs${i}`, `s${i}`], [`m${i}`]),
    node("Mul", [`f${i}`, `m${i}`], [`d${i}`]),
    node("Add", [`d${i}`, `b${i}`], [y]),
  ];
}

function network(dims, layer) {
  const random = sequence();
  const last = dims.length - 2;
  const parts = dims.slice(1).flatMap((width, i) => {
    const [x, y] = [i === 0 ? "x" : `a${i - 1}`, i === last ? "y" : `z${i}`];
    const w = weightsOf(dims[i], width, random);
    return [...layer(i, x, y, w, dims[i], width), ...(i === last ? [] : [node("Relu", [y], [`a${i}`])])];
  });
  return model(dims[0], dims.at(-1), parts);
}

/** f32 layers of widths `dims`. */
export const mlpModel = (dims) => network(dims, denseLayer);

/** Layers with int8 weights, symmetric for each channel or for all, whose inputs are rounded to bytes as they come. */
export const integerModel = (dims, perChannel) => network(dims, (...layer) => integerLayer(...layer, perChannel));

/** y (N, N) = x (N, K) · W [N, K]ᵀ of 4-bit weights in blocks that share a scale; their inputs rounded to int8. */
export function fourBitModel(K, N, block) {
  const w = weightsOf(K, N); // read as [N, K]
  const blocks = Math.ceil(K / block);
  const packed = new Uint8Array(N * blocks * (block / 2));
  const scales = new Float32Array(N * blocks);
  for (let g = 0; g < N * blocks; g++) {
    const at = Math.floor(g / blocks) * K + (g % blocks) * block;
    const values = w.subarray(at, at + block);
    const scale = (scales[g] = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 7);
    const codes = values.map((value) => Math.round(value / scale) + 8); // the zero point is 8 where none is given
    for (let k = 0; k < block; k += 2) packed[(g * block + k) / 2] = codes[k] | (codes[k + 1] << 4);
  }
  const attributes = { K, N, bits: 4, block_size: block, accuracy_level: 4 };
  return model(K, N, [
    constant("w", [N, blocks, block / 2], packed),
    constant("s", [N * blocks], scales),
    node("MatMulNBits", ["x", "w", "s"], ["y"], attributes, "com.microsoft"),
  ]);
}
