// The rows of the spec matrix that give codes for values, and tables.
import { testParity } from "./parity.js";
import { codebooks } from "./specs/codebook.js";
import { tables } from "./specs/kmeans.js";

testParity({ ...codebooks, ...tables });
