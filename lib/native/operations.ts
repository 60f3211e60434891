// Written by `npm run generate` from native/graph/ops.def. Do not edit.

// Long because every operation has a row and the types of its attributes here.
import type { NativeDType } from "./index.js";

/** What the graph compiler may assume of an operation. */
export type Trait =
  | "collective"
  | "commutative"
  | "effect"
  | "elementwise"
  | "epilogue"
  | "nogradient"
  | "random"
  | "rows"
  | "source"
  | "view"
  | "wait";

/** How structured pruning goes through an operation (native/graph/op.h). */
export type PruningRule =
  | "any_factor"
  | "attention"
  | "attention_packed"
  | "batch_norm"
  | "bounded_above"
  | "bounded_below"
  | "chosen"
  | "concat"
  | "constant"
  | "convolution"
  | "counted"
  | "first_operand"
  | "index"
  | "input"
  | "never"
  | "opaque"
  | "pad"
  | "parameter"
  | "pool"
  | "product"
  | "random"
  | "reduction"
  | "reshape"
  | "row_norm"
  | "slice"
  | "softmax"
  | "sum"
  | "table"
  | "transpose"
  | "zeros";

/** How the floating-point operations of an operation are counted, where not for each element of its result. */
export type FlopRule =
  | "attention"
  | "attention_packed"
  | "filters"
  | "kept_filters"
  | "kept_rows"
  | "operand"
  | "pooling"
  | "product"
  | "rows"
  | "windows";

/** Every operation of the engine: how many tensors it takes, its traits, and what makes it in TypeScript. */
export const operations = {
  input: { arity: 0, traits: ["source", "nogradient"], pruning: "input", flops: 0, api: "engine" },
  parameter: { arity: 0, traits: ["source", "nogradient"], pruning: "parameter", flops: 0, api: "engine" },
  constant: { arity: 0, traits: ["source", "nogradient"], pruning: "constant", flops: 0, api: "engine" },
  arange: { arity: 0, traits: ["nogradient"], pruning: "counted", flops: 0, api: "ops.arange" },
  random_uniform: {
    arity: 0,
    traits: ["elementwise", "random", "nogradient"],
    pruning: "random",
    flops: 1,
    api: "ops.uniform",
  },
  neg: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.neg" },
  abs: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.abs" },
  sign: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.sign" },
  exp: { arity: 1, traits: ["elementwise"], pruning: "never", flops: 1, api: "Tensor.exp" },
  expm1: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.expm1" },
  log: { arity: 1, traits: ["elementwise"], pruning: "never", flops: 1, api: "Tensor.log" },
  log1p: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.log1p" },
  sqrt: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.sqrt" },
  rsqrt: { arity: 1, traits: ["elementwise"], pruning: "never", flops: 1, api: "Tensor.rsqrt" },
  square: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.square" },
  reciprocal: { arity: 1, traits: ["elementwise"], pruning: "never", flops: 1, api: "Tensor.reciprocal" },
  sin: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.sin" },
  cos: { arity: 1, traits: ["elementwise"], pruning: "never", flops: 1, api: "Tensor.cos" },
  tanh: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.tanh" },
  sigmoid: { arity: 1, traits: ["elementwise"], pruning: "never", flops: 3, api: "Tensor.sigmoid" },
  relu: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.relu" },
  gelu: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 8, api: "Tensor.gelu" },
  gelu_tanh: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 8, api: "Tensor.gelu" },
  silu: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 4, api: "Tensor.silu" },
  softplus: { arity: 1, traits: ["elementwise"], pruning: "never", flops: 1, api: "Tensor.softplus" },
  softsign: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 3, api: "Tensor.softsign" },
  hardswish: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 5, api: "Tensor.hardswish" },
  mish: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 8, api: "Tensor.mish" },
  selu: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 3, api: "Tensor.selu" },
  erf: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.erf" },
  floor: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.floor" },
  ceil: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.ceil" },
  round: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.round" },
  logical_not: { arity: 1, traits: ["elementwise", "nogradient"], pruning: "never", flops: 1, api: "Tensor.not" },
  is_finite: { arity: 1, traits: ["elementwise", "nogradient"], pruning: "never", flops: 1, api: "Tensor.isFinite" },
  is_nan: { arity: 1, traits: ["elementwise", "nogradient"], pruning: "never", flops: 1, api: "Tensor.isNaN" },
  cast: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 0, api: "Tensor.cast" },
  broadcast_to: { arity: 1, traits: ["elementwise"], pruning: "zeros", flops: 0, api: "Tensor.broadcastTo" },
  stop_gradient: { arity: 1, traits: ["view"], pruning: "zeros", flops: 0, api: "Tensor.stopGradient" },
  add: { arity: 2, traits: ["elementwise", "commutative"], pruning: "zeros", flops: 1, api: "Tensor.add" },
  sub: { arity: 2, traits: ["elementwise"], pruning: "zeros", flops: 1, api: "Tensor.sub" },
  mul: { arity: 2, traits: ["elementwise", "commutative"], pruning: "any_factor", flops: 1, api: "Tensor.mul" },
  div: { arity: 2, traits: ["elementwise"], pruning: "first_operand", flops: 1, api: "Tensor.div" },
  pow: { arity: 2, traits: ["elementwise"], pruning: "never", flops: 1, api: "Tensor.pow" },
  minimum: {
    arity: 2,
    traits: ["elementwise", "commutative"],
    pruning: "bounded_below",
    flops: 1,
    api: "Tensor.minimum",
  },
  maximum: {
    arity: 2,
    traits: ["elementwise", "commutative"],
    pruning: "bounded_above",
    flops: 1,
    api: "Tensor.maximum",
  },
  mod: { arity: 2, traits: ["elementwise"], pruning: "never", flops: 1, api: "Tensor.mod" },
  eq: { arity: 2, traits: ["elementwise", "commutative", "nogradient"], pruning: "never", flops: 1, api: "Tensor.eq" },
  ne: { arity: 2, traits: ["elementwise", "commutative", "nogradient"], pruning: "never", flops: 1, api: "Tensor.ne" },
  lt: { arity: 2, traits: ["elementwise", "nogradient"], pruning: "never", flops: 1, api: "Tensor.lt" },
  le: { arity: 2, traits: ["elementwise", "nogradient"], pruning: "never", flops: 1, api: "Tensor.le" },
  gt: { arity: 2, traits: ["elementwise", "nogradient"], pruning: "never", flops: 1, api: "Tensor.gt" },
  ge: { arity: 2, traits: ["elementwise", "nogradient"], pruning: "never", flops: 1, api: "Tensor.ge" },
  logical_and: {
    arity: 2,
    traits: ["elementwise", "commutative", "nogradient"],
    pruning: "never",
    flops: 1,
    api: "Tensor.and",
  },
  logical_or: {
    arity: 2,
    traits: ["elementwise", "commutative", "nogradient"],
    pruning: "never",
    flops: 1,
    api: "Tensor.or",
  },
  logical_xor: {
    arity: 2,
    traits: ["elementwise", "commutative", "nogradient"],
    pruning: "never",
    flops: 1,
    api: "Tensor.xor",
  },
  where: { arity: 3, traits: ["elementwise"], pruning: "chosen", flops: 1, api: "Tensor.where" },
  relu_grad: { arity: 2, traits: ["elementwise"], pruning: "opaque", flops: 1, api: "engine" },
  gelu_grad: { arity: 2, traits: ["elementwise"], pruning: "opaque", flops: 1, api: "engine" },
  gelu_tanh_grad: { arity: 2, traits: ["elementwise"], pruning: "opaque", flops: 1, api: "engine" },
  silu_grad: { arity: 2, traits: ["elementwise"], pruning: "opaque", flops: 1, api: "engine" },
  tanh_grad: { arity: 2, traits: ["elementwise"], pruning: "opaque", flops: 1, api: "engine" },
  sigmoid_grad: { arity: 2, traits: ["elementwise"], pruning: "opaque", flops: 1, api: "engine" },
  fused: { arity: "variadic", traits: ["nogradient"], pruning: "opaque", flops: 1, api: "engine" },
  sum: { arity: 1, traits: [], pruning: "sum", flops: "operand", api: "Tensor.sum" },
  mean: { arity: 1, traits: [], pruning: "reduction", flops: "operand", api: "Tensor.mean" },
  max: { arity: 1, traits: [], pruning: "reduction", flops: "operand", api: "Tensor.max" },
  min: { arity: 1, traits: [], pruning: "reduction", flops: "operand", api: "Tensor.min" },
  argmax: { arity: 1, traits: ["nogradient"], pruning: "index", flops: "operand", api: "Tensor.argmax" },
  argmin: { arity: 1, traits: ["nogradient"], pruning: "index", flops: "operand", api: "Tensor.argmin" },
  cumsum: { arity: 1, traits: [], pruning: "opaque", flops: "operand", api: "Tensor.cumsum" },
  sort: { arity: 1, traits: [], pruning: "opaque", flops: "operand", api: "Tensor.sort" },
  topk: { arity: 1, traits: [], pruning: "opaque", flops: "operand", api: "Tensor.topk" },
  matmul: { arity: 2, traits: ["epilogue", "rows"], pruning: "product", flops: "product", api: "Tensor.matmul" },
  conv2d: { arity: 2, traits: ["epilogue"], pruning: "convolution", flops: "filters", api: "ops.conv2d" },
  conv2d_grad_input: { arity: 2, traits: ["epilogue"], pruning: "opaque", flops: 1, api: "engine" },
  conv2d_grad_weight: { arity: 2, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  sparse_matmul: {
    arity: 3,
    traits: ["epilogue", "rows"],
    pruning: "opaque",
    flops: "kept_rows",
    api: "ops.sparseMatmul",
  },
  sparse_matmul_grad_input: {
    arity: 3,
    traits: ["epilogue", "rows"],
    pruning: "opaque",
    flops: 1,
    api: "ops.sparseMatmul",
  },
  sparse_matmul_grad_values: { arity: 3, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  sparse_conv2d: { arity: 3, traits: ["epilogue"], pruning: "opaque", flops: "kept_filters", api: "ops.sparseConv2d" },
  sparse_conv2d_grad_input: { arity: 3, traits: ["epilogue"], pruning: "opaque", flops: 1, api: "engine" },
  sparse_conv2d_grad_values: { arity: 3, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  quantized_matmul: {
    arity: "variadic",
    traits: ["epilogue", "rows", "nogradient"],
    pruning: "opaque",
    flops: "rows",
    api: "quantize.convert",
  },
  dequantize: { arity: "variadic", traits: ["nogradient"], pruning: "opaque", flops: 1, api: "quantize.convert" },
  quantized_conv2d: {
    arity: "variadic",
    traits: ["epilogue", "nogradient"],
    pruning: "opaque",
    flops: "windows",
    api: "quantize.convert",
  },
  max_pool2d: { arity: 1, traits: [], pruning: "pool", flops: "pooling", api: "ops.maxPool2d" },
  max_pool2d_grad: { arity: 2, traits: ["epilogue", "nogradient"], pruning: "opaque", flops: 1, api: "engine" },
  avg_pool2d: { arity: 1, traits: [], pruning: "pool", flops: "pooling", api: "ops.avgPool2d" },
  avg_pool2d_grad: { arity: 1, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  softmax: { arity: 1, traits: [], pruning: "softmax", flops: 5, api: "Tensor.softmax" },
  softmax_grad: { arity: 2, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  log_softmax: { arity: 1, traits: [], pruning: "softmax", flops: 5, api: "Tensor.logSoftmax" },
  log_softmax_grad: { arity: 2, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  cross_entropy: { arity: 2, traits: [], pruning: "opaque", flops: 1, api: "ops.crossEntropy" },
  cross_entropy_grad: { arity: 4, traits: ["nogradient"], pruning: "opaque", flops: 1, api: "engine" },
  layer_norm: { arity: 3, traits: [], pruning: "row_norm", flops: 8, api: "ops.layerNorm" },
  layer_norm_grad: { arity: 5, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  rms_norm: { arity: 2, traits: [], pruning: "row_norm", flops: 5, api: "ops.rmsNorm" },
  rms_norm_grad: { arity: 4, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  batch_norm: { arity: 3, traits: [], pruning: "batch_norm", flops: 4, api: "ops.batchNorm" },
  batch_norm_grad: { arity: 5, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  attention: { arity: "variadic", traits: [], pruning: "attention", flops: "attention", api: "ops.attention" },
  attention_grad: { arity: "variadic", traits: [], pruning: "opaque", flops: 1, api: "engine" },
  attention_packed: {
    arity: 1,
    traits: [],
    pruning: "attention_packed",
    flops: "attention_packed",
    api: "ops.attentionPacked",
  },
  attention_packed_grad: { arity: 4, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  reshape: { arity: 1, traits: ["view"], pruning: "reshape", flops: 0, api: "Tensor.reshape" },
  transpose: { arity: 1, traits: [], pruning: "transpose", flops: 0, api: "Tensor.transpose" },
  concat: { arity: "variadic", traits: [], pruning: "concat", flops: 0, api: "ops.concat" },
  slice: { arity: 1, traits: [], pruning: "slice", flops: 0, api: "Tensor.slice" },
  pad: { arity: 1, traits: [], pruning: "pad", flops: 0, api: "Tensor.pad" },
  embedding: { arity: 2, traits: [], pruning: "table", flops: 0, api: "ops.embedding" },
  embedding_grad: { arity: 2, traits: [], pruning: "opaque", flops: 1, api: "engine" },
  gather: { arity: 2, traits: [], pruning: "opaque", flops: 0, api: "Tensor.gather" },
  scatter_add: { arity: 3, traits: [], pruning: "opaque", flops: 1, api: "Tensor.scatterAdd" },
  one_hot: { arity: 1, traits: ["nogradient"], pruning: "opaque", flops: 0, api: "ops.oneHot" },
  nearest_entry: { arity: 2, traits: ["nogradient"], pruning: "opaque", flops: 1, api: "quantize.nf4" },
  gptq: { arity: "variadic", traits: ["nogradient"], pruning: "opaque", flops: 1, api: "quantize.gptq" },
  kmeans: { arity: 2, traits: ["nogradient"], pruning: "opaque", flops: 1, api: "quantize.kmeans" },
  top_mask: { arity: 2, traits: ["nogradient"], pruning: "opaque", flops: 1, api: "prune.mask" },
  exact_i32: { arity: 1, traits: ["nogradient"], pruning: "opaque", flops: 1, api: "Tensor.gather" },
  checked_i32: { arity: 1, traits: ["nogradient"], pruning: "opaque", flops: 1, api: "Tensor.floorDiv" },
  gradient_bucket: {
    arity: "variadic",
    traits: ["collective", "nogradient"],
    pruning: "opaque",
    flops: 1,
    api: "engine",
  },
  all_reduce: { arity: 1, traits: ["collective"], pruning: "opaque", flops: 1, api: "parallel.allReduce" },
  all_gather: { arity: 1, traits: ["collective"], pruning: "opaque", flops: 0, api: "parallel.allGather" },
  reduce_scatter: { arity: 1, traits: ["collective"], pruning: "opaque", flops: 1, api: "parallel.reduceScatter" },
  broadcast: { arity: 1, traits: ["collective"], pruning: "opaque", flops: 0, api: "parallel.broadcast" },
  all_to_all: { arity: 1, traits: ["collective"], pruning: "opaque", flops: 0, api: "parallel.allToAll" },
  send: { arity: 1, traits: ["collective"], pruning: "opaque", flops: 0, api: "parallel.send" },
  receive: { arity: "variadic", traits: ["collective"], pruning: "opaque", flops: 0, api: "parallel.receive" },
  replicated: { arity: 1, traits: ["view"], pruning: "opaque", flops: 0, api: "parallel.replicated" },
  collective_start: {
    arity: "variadic",
    traits: ["collective", "nogradient"],
    pruning: "opaque",
    flops: 0,
    api: "engine",
  },
  collective_wait: { arity: 2, traits: ["wait", "nogradient"], pruning: "opaque", flops: 0, api: "engine" },
  assign: { arity: 1, traits: ["effect", "nogradient"], pruning: "opaque", flops: 1, api: "engine" },
  optimizer_step: { arity: "variadic", traits: ["effect", "nogradient"], pruning: "opaque", flops: 1, api: "engine" },
} as const satisfies Record<
  string,
  { arity: number | "variadic"; traits: readonly Trait[]; pruning: PruningRule; flops: number | FlopRule; api: string }
>;

/** The name of an operation. */
export type OpName = keyof typeof operations;

/** The attributes of every operation; the engine checks their ranges. */
export interface OpAttrs {
  readonly input: { readonly name: string };
  readonly parameter: { readonly slot: number };
  readonly constant: { readonly slot: number };
  readonly arange: {
    readonly n: number;
    readonly start?: number | undefined;
    readonly step?: number | undefined;
    readonly dtype?: NativeDType | undefined;
  };
  readonly random_uniform: {
    readonly shape: readonly number[];
    readonly key: number;
    readonly dtype?: NativeDType | undefined;
  };
  readonly neg: NoAttrs;
  readonly abs: NoAttrs;
  readonly sign: NoAttrs;
  readonly exp: NoAttrs;
  readonly expm1: NoAttrs;
  readonly log: NoAttrs;
  readonly log1p: NoAttrs;
  readonly sqrt: NoAttrs;
  readonly rsqrt: NoAttrs;
  readonly square: NoAttrs;
  readonly reciprocal: NoAttrs;
  readonly sin: NoAttrs;
  readonly cos: NoAttrs;
  readonly tanh: NoAttrs;
  readonly sigmoid: NoAttrs;
  readonly relu: NoAttrs;
  readonly gelu: NoAttrs;
  readonly gelu_tanh: NoAttrs;
  readonly silu: NoAttrs;
  readonly softplus: NoAttrs;
  readonly softsign: NoAttrs;
  readonly hardswish: NoAttrs;
  readonly mish: NoAttrs;
  readonly selu: NoAttrs;
  readonly erf: NoAttrs;
  readonly floor: NoAttrs;
  readonly ceil: NoAttrs;
  readonly round: NoAttrs;
  readonly logical_not: NoAttrs;
  readonly is_finite: NoAttrs;
  readonly is_nan: NoAttrs;
  readonly cast: { readonly dtype: NativeDType };
  readonly broadcast_to: { readonly shape: readonly number[] };
  readonly stop_gradient: NoAttrs;
  readonly add: NoAttrs;
  readonly sub: NoAttrs;
  readonly mul: NoAttrs;
  readonly div: NoAttrs;
  readonly pow: NoAttrs;
  readonly minimum: NoAttrs;
  readonly maximum: NoAttrs;
  readonly mod: NoAttrs;
  readonly eq: NoAttrs;
  readonly ne: NoAttrs;
  readonly lt: NoAttrs;
  readonly le: NoAttrs;
  readonly gt: NoAttrs;
  readonly ge: NoAttrs;
  readonly logical_and: NoAttrs;
  readonly logical_or: NoAttrs;
  readonly logical_xor: NoAttrs;
  readonly where: NoAttrs;
  readonly relu_grad: NoAttrs;
  readonly gelu_grad: NoAttrs;
  readonly gelu_tanh_grad: NoAttrs;
  readonly silu_grad: NoAttrs;
  readonly tanh_grad: NoAttrs;
  readonly sigmoid_grad: NoAttrs;
  readonly fused: NoAttrs;
  readonly sum: { readonly axes?: readonly number[] | undefined; readonly keep?: boolean | undefined };
  readonly mean: { readonly axes?: readonly number[] | undefined; readonly keep?: boolean | undefined };
  readonly max: { readonly axes?: readonly number[] | undefined; readonly keep?: boolean | undefined };
  readonly min: { readonly axes?: readonly number[] | undefined; readonly keep?: boolean | undefined };
  readonly argmax: { readonly axis?: number | undefined; readonly keep?: boolean | undefined };
  readonly argmin: { readonly axis?: number | undefined; readonly keep?: boolean | undefined };
  readonly cumsum: { readonly axis: number; readonly reverse?: boolean | undefined };
  readonly sort: { readonly axis?: number | undefined; readonly descending?: boolean | undefined };
  readonly topk: { readonly k: number; readonly axis?: number | undefined; readonly largest?: boolean | undefined };
  readonly matmul: { readonly trans_a?: boolean | undefined; readonly trans_b?: boolean | undefined };
  readonly conv2d: {
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly groups?: number | undefined;
  };
  readonly conv2d_grad_input: {
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly groups?: number | undefined;
    readonly shape: readonly number[];
  };
  readonly conv2d_grad_weight: {
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly groups?: number | undefined;
    readonly shape: readonly number[];
  };
  readonly sparse_matmul: { readonly layout?: "auto" | "dense" | "1x1" | "1x4" | "4x1" | "4x4" | "slots" | undefined };
  readonly sparse_matmul_grad_input: {
    readonly k: number;
    readonly layout?: "auto" | "dense" | "1x1" | "1x4" | "4x1" | "4x4" | "slots" | undefined;
  };
  readonly sparse_matmul_grad_values: { readonly nnz: number };
  readonly sparse_conv2d: {
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly groups?: number | undefined;
    readonly kernel: readonly number[];
    readonly layout?: "auto" | "dense" | "1x1" | "4x1" | undefined;
  };
  readonly sparse_conv2d_grad_input: {
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly groups?: number | undefined;
    readonly kernel: readonly number[];
    readonly shape: readonly number[];
    readonly layout?: "auto" | "dense" | "1x1" | "4x1" | undefined;
  };
  readonly sparse_conv2d_grad_values: {
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly groups?: number | undefined;
    readonly kernel: readonly number[];
    readonly nnz: number;
  };
  readonly quantized_matmul: {
    readonly format: string;
    readonly inner: number;
    readonly group: number;
    readonly activations?: "float" | "dynamic" | "static" | undefined;
    readonly layout?: "auto" | "panels" | "dense" | undefined;
    readonly zero?: boolean | undefined;
    readonly table?: boolean | undefined;
    readonly bitmap?: boolean | undefined;
    readonly act?: boolean | undefined;
  };
  readonly dequantize: {
    readonly format: string;
    readonly inner: number;
    readonly group: number;
    readonly zero?: boolean | undefined;
    readonly table?: boolean | undefined;
    readonly bitmap?: boolean | undefined;
  };
  readonly quantized_conv2d: {
    readonly format: string;
    readonly inner: number;
    readonly group: number;
    readonly activations?: "float" | "dynamic" | "static" | undefined;
    readonly layout?: "auto" | "panels" | "dense" | undefined;
    readonly zero?: boolean | undefined;
    readonly table?: boolean | undefined;
    readonly bitmap?: boolean | undefined;
    readonly act?: boolean | undefined;
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly groups?: number | undefined;
    readonly window: readonly number[];
  };
  readonly max_pool2d: {
    readonly kernel: readonly number[];
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
  };
  readonly max_pool2d_grad: {
    readonly kernel: readonly number[];
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly shape: readonly number[];
  };
  readonly avg_pool2d: {
    readonly kernel: readonly number[];
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly count_padding?: boolean | undefined;
  };
  readonly avg_pool2d_grad: {
    readonly kernel: readonly number[];
    readonly stride?: readonly number[] | undefined;
    readonly padding?: readonly number[] | undefined;
    readonly dilation?: readonly number[] | undefined;
    readonly count_padding?: boolean | undefined;
    readonly shape: readonly number[];
  };
  readonly softmax: { readonly axis?: number | undefined };
  readonly softmax_grad: { readonly axis?: number | undefined };
  readonly log_softmax: { readonly axis?: number | undefined };
  readonly log_softmax_grad: { readonly axis?: number | undefined };
  readonly cross_entropy: { readonly smoothing?: number | undefined; readonly ignore_index?: number | undefined };
  readonly cross_entropy_grad: { readonly smoothing?: number | undefined; readonly ignore_index?: number | undefined };
  readonly layer_norm: { readonly eps?: number | undefined };
  readonly layer_norm_grad: { readonly eps?: number | undefined };
  readonly rms_norm: { readonly eps?: number | undefined };
  readonly rms_norm_grad: { readonly eps?: number | undefined };
  readonly batch_norm: { readonly eps?: number | undefined };
  readonly batch_norm_grad: { readonly eps?: number | undefined };
  readonly attention: {
    readonly causal?: boolean | undefined;
    readonly scale?: number | undefined;
    readonly causal_offset?: number | undefined;
    readonly mask?: boolean | undefined;
  };
  readonly attention_grad: {
    readonly causal?: boolean | undefined;
    readonly scale?: number | undefined;
    readonly causal_offset?: number | undefined;
    readonly mask?: boolean | undefined;
  };
  readonly attention_packed: {
    readonly heads: number;
    readonly kv_heads?: number | undefined;
    readonly causal?: boolean | undefined;
    readonly scale?: number | undefined;
    readonly causal_offset?: number | undefined;
  };
  readonly attention_packed_grad: {
    readonly heads: number;
    readonly kv_heads?: number | undefined;
    readonly causal?: boolean | undefined;
    readonly scale?: number | undefined;
    readonly causal_offset?: number | undefined;
  };
  readonly reshape: { readonly shape: readonly number[] };
  readonly transpose: { readonly order?: readonly number[] | undefined };
  readonly concat: { readonly axis?: number | undefined };
  readonly slice: {
    readonly start: readonly number[];
    readonly stop: readonly number[];
    readonly step?: readonly number[] | undefined;
  };
  readonly pad: {
    readonly low: readonly number[];
    readonly high: readonly number[];
    readonly step?: readonly number[] | undefined;
    readonly value?: number | undefined;
  };
  readonly embedding: NoAttrs;
  readonly embedding_grad: { readonly rows: number };
  readonly gather: { readonly axis: number };
  readonly scatter_add: { readonly axis: number };
  readonly one_hot: { readonly classes: number; readonly dtype?: NativeDType | undefined };
  readonly nearest_entry: NoAttrs;
  readonly gptq: {
    readonly group: number;
    readonly low?: number | undefined;
    readonly high?: number | undefined;
    readonly damp?: number | undefined;
    readonly samples?: number | undefined;
    readonly act_order?: boolean | undefined;
    readonly has_table?: boolean | undefined;
    readonly has_mask?: boolean | undefined;
  };
  readonly kmeans: { readonly entries: number };
  readonly top_mask: NoAttrs;
  readonly exact_i32: { readonly name?: string | undefined };
  readonly checked_i32: { readonly rule: "nonzero" | "nonnegative"; readonly name?: string | undefined };
  readonly gradient_bucket: {
    readonly resource: number;
    readonly bucket: number;
    readonly weight: "operand" | "share" | "one";
  };
  readonly all_reduce: {
    readonly resource: number;
    readonly rank: number;
    readonly size: number;
    readonly reduce?: string | undefined;
    readonly gradient?: string | undefined;
    readonly scratch?: number | undefined;
  };
  readonly all_gather: {
    readonly resource: number;
    readonly rank: number;
    readonly size: number;
    readonly axis: number;
    readonly sizes: readonly number[];
    readonly gradient?: string | undefined;
    readonly scratch?: number | undefined;
  };
  readonly reduce_scatter: {
    readonly resource: number;
    readonly rank: number;
    readonly size: number;
    readonly axis: number;
    readonly sizes: readonly number[];
    readonly scratch?: number | undefined;
  };
  readonly broadcast: {
    readonly resource: number;
    readonly rank: number;
    readonly size: number;
    readonly root: number;
    readonly scratch?: number | undefined;
  };
  readonly all_to_all: {
    readonly resource: number;
    readonly rank: number;
    readonly size: number;
    readonly split: number;
    readonly concat: number;
    readonly split_sizes: readonly number[];
    readonly concat_sizes: readonly number[];
    readonly scratch?: number | undefined;
  };
  readonly send: {
    readonly resource: number;
    readonly rank: number;
    readonly size: number;
    readonly to: number;
    readonly channel?: number | undefined;
    readonly scratch?: number | undefined;
  };
  readonly receive: {
    readonly resource: number;
    readonly rank: number;
    readonly size: number;
    readonly from: number;
    readonly channel?: number | undefined;
    readonly shape: readonly number[];
    readonly dtype?: NativeDType | undefined;
    readonly scratch?: number | undefined;
  };
  readonly replicated: { readonly resource: number; readonly rank: number; readonly size: number };
  readonly collective_start: { readonly op: string };
  readonly collective_wait: { readonly op: string; readonly resource: number };
  readonly assign: { readonly slot: number };
  readonly optimizer_step: {
    readonly resource: number;
    readonly written: readonly number[];
    readonly guard?: boolean | undefined;
  };
}

/** Of an operation without attributes. */
export type NoAttrs = Readonly<Record<string, never>>;
