// The rows of the spec matrix that give codes for values, and tables, choose among values, or look at them.
import { testParity } from "./parity.js";
import { checkedValues } from "./specs/checked.js";
import { codebooks } from "./specs/quant/codebook.js";
import { tables } from "./specs/quant/kmeans.js";
import { selections } from "./specs/selection.js";

testParity({ ...codebooks, ...tables, ...selections, ...checkedValues });
