// Which instruction set the engine runs, for reports and benchmarks.
import { addon, type Isa } from "./index.js";

/** The instruction set that the engine runs on this processor: chosen at load, overridable by `ATHANOR_ISA`. */
export const isa = (): Isa => addon.isa();

/** The instruction sets that this build has and this processor can run, best first. */
export const isas = (): Isa[] => addon.isas();
