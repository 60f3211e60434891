// Inference from JavaScript with onnxruntime-node: the latency or throughput of session.run as a user calls it.
//
//   node ort-inference.mjs --case mlp-b1 --threads 1
//
// In int8 the weights have a scale for each channel or one for all, whichever is faster.

import { integerModel, mlpModel } from "./onnx-model.mjs";
import { serveModels } from "./ort.mjs";
import { readArguments } from "./side.mjs";

const run = readArguments("inference");
const { dims, batch, scheme } = run.definition;
const models = scheme
  ? { "scale for each channel": integerModel(dims, true), "one scale": integerModel(dims, false) }
  : { "": mlpModel(dims) };
await serveModels("inference", run, { batch, from: dims[0], to: dims.at(-1), models });
