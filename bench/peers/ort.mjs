// onnxruntime-node as it is measured: models of `x` (N, K) to `y` (N, width), each run with its output allocated by the call or
// ahead; whichever form is fastest in a short trial is the one that counts.

import { createRequire } from "node:module";
import { cacheDirectory } from "./environment.mjs";
import { serve } from "./side.mjs";

const require = createRequire(`${cacheDirectory}/`);
const ort = require("onnxruntime-node");
const { version } = require("onnxruntime-node/package.json");

async function trial(step) {
  for (let i = 0; i < 30; i++) await step();
  const begin = performance.now();
  let calls = 0;
  for (; performance.now() < begin + 200; calls++) await step();
  return (performance.now() - begin) / calls;
}

/**
 * Serves the fastest of `models`, file contents by name, for a case as readArguments gives it. `check`, if there is one, gets
 * x and y of each model and throws where y is wrong.
 */
export async function serveModels(suite, { case: name, threads, definition }, { batch, from, to, models, check }) {
  const tensor = (width, fill) =>
    new ort.Tensor("float32", Float32Array.from({ length: batch * width }, fill), [batch, width]);
  const x = tensor(from, () => Math.random() - 0.5);
  const y = tensor(to, () => 0);
  const variants = {};
  for (const [form, file] of Object.entries(models)) {
    const session = await ort.InferenceSession.create(file, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: "all",
      executionMode: "sequential",
    });
    check?.(x.data, (await session.run({ x })).y.data);
    const prefix = form && `${form}, `;
    variants[`${prefix}fresh output`] = () => session.run({ x });
    variants[`${prefix}given output`] = () => session.run({ x }, { y });
  }
  const times = {};
  for (const [variant, step] of Object.entries(variants)) times[variant] = await trial(step);
  const variant = Object.keys(times).reduce((a, b) => (times[b] < times[a] ? b : a));
  const system = `onnxruntime-node-${version.split(".").slice(0, 2).join(".")}`;
  const isa = "own dispatch";
  await serve({ suite, case: name, system, variant, threads, isa, definition, step: variants[variant] });
  process.exit(0); // the sessions' threads would keep the process
}
