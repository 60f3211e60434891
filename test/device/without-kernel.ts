// Operations that devices have no kernel for: they are refused when a graph is compiled, and run on the CPU alone.
import type { OpName } from "../../lib/native/operations.js";

export const withoutKernel: ReadonlySet<OpName> = new Set<OpName>([
  "sparse_matmul",
  "sparse_matmul_grad_input",
  "sparse_matmul_grad_values",
  "sparse_conv2d",
  "sparse_conv2d_grad_input",
  "sparse_conv2d_grad_values",
  "quantized_matmul",
  "quantized_conv2d",
  "dequantize",
  "cumsum",
  "sort",
  "topk",
  "nearest_entry",
  "gptq",
  "kmeans",
]);
