// How a parameter's values are held and used, when that is not as plain numbers: quantized, sparse, or numbers that are rounded
// on their way in. Every use of a parameter in a trace goes through its parametrization, so that a model of any make is compressed without
// exchanging its layers.
import type { NativeRankGroup } from "../native/ranks.js";
import type { Shape } from "./nd-array.js";
import type { Parameter } from "./parameter.js";
import type { Tensor } from "./tensor.js";
import type { Trace } from "./trace.js";

/** Attributes of the operation `conv2d`. */
export interface Conv2dGeometry {
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Top, bottom, left, right. */
  readonly padding: readonly number[];
  readonly groups: number;
}

/** A larger parameter that the ranks of a group have among them. */
export interface PartOf {
  readonly group: NativeRankGroup;
  /** Extents of the whole. */
  readonly shape: Shape;
  /** The axis that is divided. */
  readonly axis: number;
  /** The places along it that every rank of the group has, in the order of the ranks. */
  readonly places: readonly (readonly number[])[];
}

/** What {@link Parameter.setParametrization} takes; made by `prune` and `quantize`. */
export interface Parametrization {
  /** What it is, such as "int8" or "sparse". */
  readonly kind: string;
  /** What lives in the engine; saved as `<parameter>.<part>`, and optimized where trainable. */
  readonly parts: Readonly<Record<string, Parameter>>;
  /** Whether the parts stand in for the parameter's own numbers, which are then freed. */
  readonly packed: boolean;
  /** The value in a trace, f32. `master` is the parameter's own numbers, undefined when packed. */
  tensor(trace: Trace, master: Tensor | undefined): Tensor;
  /** x […, K] · wᵀ for w [N, K] when `transB`, else x · w; undefined where `tensor` serves. */
  matmul?(x: Tensor, master: Tensor | undefined, transB: boolean): Tensor | undefined;
  /** The convolution of x with this weight; undefined where `tensor` serves. */
  conv2d?(x: Tensor, master: Tensor | undefined, geometry: Conv2dGeometry): Tensor | undefined;
  /** Rows of this table by number, for `ops.embedding`; undefined where `tensor` serves. */
  rows?(index: Tensor, master: Tensor | undefined): Tensor | undefined;
  /** x + this, for a bias; undefined where `tensor` serves. */
  addTo?(x: Tensor, master: Tensor | undefined): Tensor | undefined;
  /** Where the numbers are one rank's part of a larger parameter. */
  readonly part?: PartOf | undefined;
  /** The same with copies of the parts. */
  clone(): Parametrization;
  /** Frees the parts. */
  dispose(): void;
}
