// The elementwise rows of the spec matrix.
import { testParity } from "./parity.js";
import { activationGrad } from "./specs/activation-grad.js";
import { binary } from "./specs/binary.js";
import { unary } from "./specs/unary.js";

testParity({ ...unary, ...binary, ...activationGrad });
