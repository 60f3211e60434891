// A parameter in few bits: its codes, scales and what else they need, executed by the engine's quantized operations.
import type { Conv2dGeometry, Parametrization } from "../tensor/parametrization.js";
import { Parameter } from "../tensor/parameter.js";
import type { NativeAttrs } from "../native/index.js";
import { unpackBits } from "../ops/bits.js";
import type { Shape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Trace } from "../tensor/trace.js";
import { valuesOf } from "./grid.js";
import type { Layout } from "./layout.js";
import { isAffineInput, type Activations, type Scheme } from "./scheme.js";
import { fakeDynamic, fakeStatic } from "./inputs.js";
import { scaleColumns, scaleInputs } from "./smoothing.js";

/** Parts of a packed parameter, in the engine. */
export interface PackedParts {
  /** u8 [N, ⌈K bits / 8⌉], the first code of a byte in its low bits; with a bitmap [⌈nnz bits / 8⌉], the kept codes alone. */
  readonly q: Parameter;
  /** [N, G], or [1, 1] for all; bf16 for groups, else f32. */
  readonly scale: Parameter;
  /** u8 like the scale. */
  readonly zero?: Parameter;
  /** f32 [C]. */
  readonly table?: Parameter;
  /** u8 [N, ⌈K / 8⌉]: bit k % 8 of byte k / 8 marks a kept element, the others are 0. */
  readonly bitmap?: Parameter;
  /** Static inputs: f32 [2], scale and integer zero. */
  readonly act?: Parameter;
  /** f32 [C]: inputs are multiplied by it. */
  readonly smooth?: Parameter;
}

/** A quantized weight; see {@link Parametrization}. */
export class PackedParametrization implements Parametrization {
  readonly kind: string;
  readonly packed = true;
  readonly scheme: Scheme;
  readonly shape: Shape;
  readonly layout: Layout;
  readonly parts: Readonly<Record<string, Parameter>>;

  constructor(scheme: Scheme, shape: Shape, layout: Layout, parts: PackedParts) {
    this.kind = scheme.name;
    this.scheme = scheme;
    this.shape = shape;
    this.layout = layout;
    this.parts = { ...parts };
  }

  /** Bytes of all parts. */
  get bytes(): number {
    const width = { u8: 1, bf16: 2, f32: 4 } as Record<string, number>;
    return Object.values(this.parts).reduce((sum, { size, dtype }) => sum + size * (width[dtype] ?? 4), 0);
  }

  tensor(trace: Trace): Tensor {
    const w = this.rounded(trace);
    const smooth = this.parts.smooth;
    return smooth ? scaleColumns(w, trace.parameter(smooth)) : w;
  }

  matmul(x: Tensor, _master: Tensor | undefined, transB: boolean): Tensor | undefined {
    if (!transB || this.shape.length !== 2) return undefined;
    // The quantized operations have no gradient; in training a float product of the same integers does.
    if (x.trace.training) {
      return x.trace.apply("matmul", [this.input(x, false), this.rounded(x.trace)], { trans_a: false, trans_b: true });
    }
    return this.apply("quantized_matmul", x, {});
  }

  conv2d(x: Tensor, _master: Tensor | undefined, geometry: Conv2dGeometry): Tensor | undefined {
    if (x.trace.training) {
      return x.trace.apply("conv2d", [this.input(x, true), this.rounded(x.trace)], { ...geometry });
    }
    return this.apply("quantized_conv2d", x, { ...geometry, window: this.shape.slice(2) });
  }

  clone(): PackedParametrization {
    const parts = Object.entries(this.parts).map(([name, part]) => [name, part.clone()] as const);
    return new PackedParametrization(
      this.scheme,
      this.shape,
      this.layout,
      Object.fromEntries(parts) as unknown as PackedParts,
    );
  }

  dispose(): void {
    for (const part of Object.values(this.parts)) part.dispose();
  }

  // The weight that products take, columns scaled where inputs are.
  private rounded(trace: Trace): Tensor {
    const { grid, storage } = this.scheme;
    const { inner } = this.layout;
    if (this.parts.bitmap) {
      // Only the engine finds the elements of a bitmap: I · Wᵀ, exact as every sum has one term.
      const eye = trace.apply("arange", [], { n: inner, start: 0, step: 1, dtype: "i32" });
      const unit = trace.apply("one_hot", [eye], { classes: inner });
      return trace
        .apply("quantized_matmul", [unit, ...this.operands(trace, [])], this.attrs("float", []))
        .transpose([1, 0])
        .reshape(this.shape);
    }
    const at = (name: string) => this.parts[name] && trace.parameter(this.parts[name]);
    const column = (name: string) => at(name)?.cast("f32").expandDims(2);
    const signed = grid.kind === "uniform" && grid.symmetric;
    const codes = unpackBits(at("q")!, storage, inner, signed);
    const steps = { scale: column("scale")!, zero: column("zero"), table: at("table") };
    return valuesOf(codes, this.layout, this.scheme, steps).reshape(this.shape);
  }

  private apply(op: "quantized_matmul" | "quantized_conv2d", x: Tensor, attrs: NativeAttrs): Tensor {
    const { trace } = x;
    const { smooth, act } = this.parts;
    const input = smooth ? scaleInputs(x, trace.parameter(smooth), op === "quantized_conv2d") : x;
    const more = act ? (["act"] as const) : [];
    const operands = this.operands(trace, more);
    return trace.apply(op, [input, ...operands], { ...attrs, ...this.attrs(this.scheme.activations, more) });
  }

  private present(more: readonly string[]): string[] {
    return ["zero", "table", "bitmap", ...more].filter((name) => this.parts[name] !== undefined);
  }

  private operands(trace: Trace, more: readonly string[]): Tensor[] {
    return ["q", "scale", ...this.present(more)].map((name) => trace.parameter(this.parts[name]!));
  }

  private attrs(activations: Activations, more: readonly string[]): NativeAttrs {
    const { grid, storage } = this.scheme;
    const kind = grid.kind !== "uniform" ? "codebook" : grid.symmetric ? "int" : "uint";
    return {
      format: `${kind}${storage}`,
      group: this.layout.group,
      inner: this.layout.inner,
      activations,
      ...Object.fromEntries(this.present(more).map((name) => [name, true])),
    };
  }

  private input(x: Tensor, convolution: boolean): Tensor {
    const { smooth, act } = this.parts;
    const scaled = smooth ? scaleInputs(x, x.trace.parameter(smooth), convolution) : x;
    const { activations } = this.scheme;
    if (activations === "float") return scaled;
    if (activations === "dynamic") return fakeDynamic(scaled, convolution);
    const steps = x.trace.parameter(act!);
    return fakeStatic(scaled, { scale: steps.slice([0, 1]), zero: steps.slice([1, 2]) }, isAffineInput(this.scheme));
  }
}
