// Operations that devices have no kernel for: they are refused when a graph is compiled, and run on the CPU alone.
import type { OpName } from "../../lib/native/operations.js";

export const withoutKernel: ReadonlySet<OpName> = new Set<OpName>([
  "cumsum",
  "sort",
  "topk",
  "nearest_entry",
  "gptq",
  "kmeans",
]);
