// The rows of the spec matrix whose weight is quantized.
import { testParity } from "./parity.js";
import { quantizedConvolutions } from "./specs/quant/quantized-conv.js";
import { quantizedProducts } from "./specs/quant/quantized.js";

testParity({ ...quantizedProducts, ...quantizedConvolutions });
