// The rows of the spec matrix whose weight is sparse.
import { testParity } from "./parity.js";
import { sparseConvolutions } from "./specs/sparse-conv.js";
import { sparseProducts } from "./specs/sparse.js";

testParity({ ...sparseProducts, ...sparseConvolutions });
