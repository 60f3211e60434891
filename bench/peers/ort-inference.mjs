// Inference from JavaScript with onnxruntime-node, f32: the latency or throughput of session.run as a user calls it.
//
//   node ort-inference.mjs --case mlp-b1 --threads 1
//
// Output tensors are allocated ahead or by each call, whichever is faster in a short trial.

import { createRequire } from "node:module";
import { mlpModel } from "./onnx-model.mjs";
import { cacheDirectory } from "./environment.mjs";
import { readArguments, serve } from "./side.mjs";

const suite = "inference";
const { case: name, threads, definition } = readArguments(suite);
const require = createRequire(`${cacheDirectory}/`);
const ort = require("onnxruntime-node");
const { version } = require("onnxruntime-node/package.json");

const { dims, batch } = definition;
const session = await ort.InferenceSession.create(mlpModel(dims), {
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  graphOptimizationLevel: "all",
  executionMode: "sequential",
});
const tensor = (width, fill) =>
  new ort.Tensor("float32", Float32Array.from({ length: batch * width }, fill), [batch, width]);
const x = tensor(dims[0], Math.random);
const y = tensor(dims.at(-1), () => 0);
const variants = { "fresh output": () => session.run({ x }), "given output": () => session.run({ x }, { y }) };

async function trial(step) {
  for (let i = 0; i < 30; i++) await step();
  const begin = performance.now();
  let calls = 0;
  for (; performance.now() < begin + 200; calls++) await step();
  return (performance.now() - begin) / calls;
}

const times = {};
for (const [variant, step] of Object.entries(variants)) times[variant] = await trial(step);
const variant = Object.keys(times).reduce((a, b) => (times[b] < times[a] ? b : a));
const system = `onnxruntime-node-${version.split(".").slice(0, 2).join(".")}`;
const isa = "own dispatch";
await serve({ suite, case: name, system, variant, threads, isa, definition, step: variants[variant] });
process.exit(0); // the session's threads would keep the process
