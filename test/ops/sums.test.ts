// The rows of the spec matrix whose results are sums of products.
import { testParity } from "./parity.js";
import { convolutions } from "./specs/conv.js";
import { products } from "./specs/matmul.js";
import { reductions } from "./specs/reduce.js";

testParity({ ...reductions, ...products, ...convolutions });
