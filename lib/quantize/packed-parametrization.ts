// A parameter in few bits: its codes, scales and what else they need, executed by the engine's quantized operations.
import type { Conv2dGeometry, Parametrization } from "../tensor/parametrization.js";
import { Parameter } from "../tensor/parameter.js";
import type { OpAttrs } from "../native/operations.js";
import type { Shape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Trace } from "../tensor/trace.js";
import type { Layout } from "./layout.js";
import type { Activations, Scheme } from "./scheme.js";
import { fakeDynamic, fakeStatic } from "./inputs.js";
import { scaleColumns, scaleInputs } from "./smoothing.js";

type QuantizedAttrs = OpAttrs["quantized_matmul"];

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
    const { operands, attrs } = this.product(x, false);
    return x.trace.apply("quantized_matmul", operands, attrs);
  }

  conv2d(x: Tensor, _master: Tensor | undefined, geometry: Conv2dGeometry): Tensor | undefined {
    if (x.trace.training) {
      return x.trace.apply("conv2d", [this.input(x, true), this.rounded(x.trace)], { ...geometry });
    }
    const { operands, attrs } = this.product(x, true);
    return x.trace.apply("quantized_conv2d", operands, { ...geometry, window: this.shape.slice(2), ...attrs });
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
    return trace.apply("dequantize", this.operands(trace, []), this.held([])).reshape(this.shape);
  }

  // What a product of x with the packed weight takes.
  private product(x: Tensor, convolution: boolean): { operands: readonly Tensor[]; attrs: QuantizedAttrs } {
    const { smooth, act } = this.parts;
    const input = smooth ? scaleInputs(x, x.trace.parameter(smooth), convolution) : x;
    const more = act ? (["act"] as const) : [];
    return {
      operands: [input, ...this.operands(x.trace, more)],
      attrs: this.attrs(this.scheme.activations, more),
    };
  }

  private present(more: readonly string[]): string[] {
    return ["zero", "table", "bitmap", ...more].filter((name) => this.parts[name] !== undefined);
  }

  private operands(trace: Trace, more: readonly string[]): Tensor[] {
    return ["q", "scale", ...this.present(more)].map((name) => trace.parameter(this.parts[name]!));
  }

  private attrs(activations: Activations, more: readonly string[]): QuantizedAttrs {
    return { ...this.held(more), activations };
  }

  private held(more: readonly string[]): OpAttrs["dequantize"] {
    return {
      format: this.scheme.format,
      group: this.layout.group,
      inner: this.layout.inner,
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
    return fakeStatic(scaled, { scale: steps.slice([0, 1]), zero: steps.slice([1, 2]) });
  }
}
