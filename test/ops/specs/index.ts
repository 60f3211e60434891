// The spec of every operation. One that is missing does not compile.
import type { OpName } from "../../../lib/native/operations.js";
import type { Spec } from "../spec.js";
import { activationGrad } from "./activation-grad.js";
import { attentions } from "./attention.js";
import { binary } from "./binary.js";
import { checkedValues } from "./checked.js";
import { codebooks } from "./quant/codebook.js";
import { tables } from "./quant/kmeans.js";
import { convolutions } from "./conv.js";
import { indexings } from "./indexing.js";
import { products } from "./matmul.js";
import { movements } from "./movement.js";
import { norms } from "./norm.js";
import { orders } from "./order.js";
import { pools } from "./pool.js";
import { quantizedConvolutions } from "./quant/quantized-conv.js";
import { quantizedProducts } from "./quant/quantized.js";
import { reductions } from "./reduce.js";
import { selections } from "./selection.js";
import { softmaxes } from "./softmax.js";
import { sparseConvolutions } from "./sparse-conv.js";
import { sparseProducts } from "./sparse.js";
import { sources } from "./sources.js";
import { unary } from "./unary.js";

export const specs = {
  ...sources,
  ...unary,
  ...binary,
  ...activationGrad,
  ...reductions,
  ...orders,
  ...products,
  ...quantizedProducts,
  ...quantizedConvolutions,
  ...convolutions,
  ...sparseProducts,
  ...sparseConvolutions,
  ...pools,
  ...softmaxes,
  ...norms,
  ...attentions,
  ...movements,
  ...indexings,
  ...codebooks,
  ...tables,
  ...selections,
  ...checkedValues,
} satisfies Record<OpName, Spec>;
