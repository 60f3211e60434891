// The modules of the source and what each may import (docs/internals/architecture.md): itself and the modules named beside it; any
// other import fails `npm run check`, which reads this table. It has no other home.

/** C++: folders of native/. */
export const nativeModules = {
  base: [],
  simd: ["base"],
  update_rules: ["base"],
  formats: ["base"],
  kernels: ["base", "simd", "update_rules", "formats"],
  runtime: ["base", "kernels"],
  graph: ["base", "kernels", "runtime"],
  io: ["base"],
  sparse: ["base", "kernels"],
  tune: ["base"],
  optim: ["base", "update_rules", "kernels", "runtime"],
  comm: ["base", "runtime"],
  quant: ["base", "formats", "kernels"],
  ops: ["base", "formats", "kernels", "runtime", "graph", "optim", "quant", "sparse", "comm"],
  device: ["base", "update_rules", "formats", "kernels", "runtime", "graph", "ops", "optim", "sparse"],
  train: ["base", "kernels", "runtime", "graph", "ops", "optim", "device", "io", "comm"],
  bindings: ["base", "kernels", "runtime", "graph", "ops", "optim", "device", "io", "train", "tune", "comm"],
  test: [
    "base",
    "simd",
    "update_rules",
    "formats",
    "kernels",
    "runtime",
    "graph",
    "ops",
    "optim",
    "quant",
    "io",
    "sparse",
    "train",
    "device",
    "tune",
    "comm",
  ],
};

/** C++: headers from outside that only some modules may include; runtime/ pauses in spin loops and sets denormal modes. */
export const foreignHeaders = [
  { header: /^(napi|node_api|js_native_api|node|uv|v8)\b.*\.h$/, modules: ["bindings"] },
  { header: /^(immintrin|x86intrin|arm_neon|simde\/.*)\b.*\.h$/, modules: ["simd", "kernels", "runtime"] },
  { header: /^(cuda|cublas|nccl|mpi)\w*\.h$/, modules: [] },
];

const ground = ["errors", "names", "guidance"];
const engine = [...ground, "native", "device", "tensor"];
const described = [...engine, "preprocess", "info"];
const model = [...described, "ops", "schedule", "data", "metrics"];
const training = [...model, "nn", "loss", "optim", "checkpoint"];
const compression = [...training, "log", "train", "artifact"];
const outer = [...compression, "prune", "quantize", "distill"];

/** TypeScript: folders of lib/, and its single files by name. */
export const libModules = {
  names: [],
  errors: ["names"],
  guidance: ["errors", "names"],
  native: ground,
  schedule: ground,
  device: [...ground, "native"],
  tensor: [...ground, "native", "device"],
  preprocess: engine,
  info: [...engine, "preprocess"],
  data: described,
  checkpoint: engine,
  log: engine,
  metrics: engine,
  ops: engine,
  nn: model,
  loss: [...model, "nn"],
  optim: [...model, "nn"],
  artifact: training,
  pipeline: engine,
  train: [...training, "artifact", "log", "pipeline"],
  prune: compression,
  quantize: compression,
  distill: compression,
  tune: outer,
  parallel: [...outer, "pipeline"],
  serve: outer,
  report: [...outer, "tune"],
  index: [...outer, "tune", "parallel", "serve", "report"],
  dashboard: [...outer, "tune", "report"],
  cli: ["index", ...outer, "tune", "parallel", "serve", "report", "dashboard"],
};
