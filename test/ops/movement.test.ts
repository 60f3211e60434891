// The rows of the spec matrix that move elements, read them by index or make them from nothing.
import { testParity } from "./parity.js";
import { indexings } from "./specs/indexing.js";
import { movements } from "./specs/movement.js";
import { sources } from "./specs/sources.js";

testParity({ ...movements, ...indexings, ...sources });
