// The rows of the spec matrix that normalize or pool.
import { testParity } from "./parity.js";
import { attentions } from "./specs/attention.js";
import { norms } from "./specs/norm.js";
import { pools } from "./specs/pool.js";
import { softmaxes } from "./specs/softmax.js";

testParity({ ...pools, ...softmaxes, ...norms, ...attentions });
