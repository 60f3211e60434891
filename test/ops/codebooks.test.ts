// The rows of the spec matrix that give codes for values.
import { testParity } from "./parity.js";
import { codebooks } from "./specs/codebook.js";

testParity(codebooks);
