// What an operation's spec says: from it the matrix derives parity on every instruction set, gradient checks, error sentences,
// overrun sentinels and fused contexts.
import type { ErrorCode } from "../../lib/errors.js";
import type { NativeAttrs } from "../../lib/native/index.js";
import type { DType } from "../../lib/tensor/dtype.js";
import type { ToleranceClass } from "../tolerances.js";
import type { Value } from "./value.js";

export interface Sample {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly attrs?: NativeAttrs;
}

/** The operation written from its definition, in float64: element types and shapes of the results included. */
export type Reference = (inputs: readonly Value[], attrs: NativeAttrs) => readonly Value[];

export interface Typed {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Operands that the operation must refuse, or, with values, indices that a run must. */
export interface Refusal {
  readonly inputs: readonly (Typed | Value)[];
  readonly attrs?: NativeAttrs;
  readonly code: ErrorCode;
  /** The whole sentence. */
  readonly message: string;
}

export interface OpSpec {
  readonly kind: "operation";
  /** Made anew by every test that asks, so that large samples do not stay. */
  readonly samples: () => readonly Sample[];
  readonly reference: Reference;
  readonly tolerance: ToleranceClass;
  /** Σ|a||b| for the class "dot", where it is not the reference of the operands' absolute values. */
  readonly terms?: Reference;
  /** Operands whose gradient is checked, at points where the operation is smooth. */
  readonly gradients?: {
    readonly inputs: readonly number[];
    readonly samples: () => readonly Sample[];
    /** Whether the gradient has a gradient. */
    readonly twice: boolean;
    /** What differences are taken of, where the reference rounds. */
    readonly reference?: Reference;
  };
  readonly errors?: readonly Refusal[];
  /** Whether a chain of elementwise operations is tried around it. Default true; false where the result is no float. */
  readonly fused?: boolean;
}

/** An operation that no caller applies, or whose effect is not its result. */
export interface Elsewhere {
  readonly kind: "elsewhere";
  /** The test that covers it, as a path from the repository's root. */
  readonly by: string;
  readonly why: string;
}

export type Spec = OpSpec | Elsewhere;

export const typed = (dtype: DType, ...shape: number[]): Typed => ({ dtype, shape });
