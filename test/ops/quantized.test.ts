// The rows of the spec matrix whose weight is quantized.
import { testParity } from "./parity.js";
import { quantizedConvolutions } from "./specs/quantized-conv.js";
import { quantizedProducts } from "./specs/quantized.js";

testParity({ ...quantizedProducts, ...quantizedConvolutions });
