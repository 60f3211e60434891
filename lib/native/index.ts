// The typed mirror of the addon, and the only importer of the .node file.
import { load } from "./loader.js";

/** Instruction sets that the engine may have been built for. */
export type Isa = "scalar" | "avx2" | "avx512" | "neon";

/** What native/bindings/addon.cc exports. */
export interface Addon {
  readonly version: string;
  /** The instruction set in use. */
  isa(): Isa;
  /** Those that this build has and this processor can run, best first. */
  isas(): Isa[];
  /** Empty, or the sentence why `ATHANOR_ISA` was not followed. */
  isaWarning(): string;
  /** Switches the instruction set for programs that start later; for tests and benchmarks. */
  setIsa(name: Isa): void;
}

/** The addon; loading throws `LoadError` with remedies where it cannot be had. */
export const addon = load() as Addon;
