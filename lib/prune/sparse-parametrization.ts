// A masked weight without its zeros: a bitmap of what is left and the values of it, which the engine's sparse operations read. The
// pattern is fixed; the values are trained.
import type { Conv2dGeometry, Parametrization } from "../tensor/parametrization.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Shape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Trace } from "../tensor/trace.js";
import { matrixOf } from "./structure.js";

/** Parts of a sparse parameter, in the engine. */
export interface SparseParts {
  /** u8 [N, ⌈K / 8⌉]: bit k % 8 of byte k / 8 marks a weight that is left. */
  readonly bitmap: Parameter;
  /** f32 [nnz]: those weights, row by row. */
  readonly values: Parameter;
}

/** A sparse weight; see {@link Parametrization}. */
export class SparseParametrization implements Parametrization {
  readonly kind = "sparse";
  readonly packed = true;
  readonly shape: Shape;
  readonly parts: Readonly<Record<string, Parameter>> & SparseParts;

  constructor(shape: Shape, { bitmap, values }: SparseParts) {
    this.shape = shape;
    this.parts = { bitmap, values };
  }

  // Uses that no sparse kernel serves take the weight expanded: I · W, exact because every sum has one term.
  tensor(trace: Trace): Tensor {
    const [rows, inputs] = matrixOf(this.shape);
    const unit = trace.apply("one_hot", [trace.apply("arange", [], { n: rows, dtype: "i32" })], { classes: rows });
    return trace.apply("sparse_matmul_grad_input", [unit, ...this.operands(trace)], { k: inputs }).reshape(this.shape);
  }

  matmul(x: Tensor, _: Tensor | undefined, transB: boolean): Tensor | undefined {
    if (!transB || this.shape.length !== 2) return undefined;
    return x.trace.apply("sparse_matmul", [x, ...this.operands(x.trace)]);
  }

  conv2d(x: Tensor, _: Tensor | undefined, geometry: Conv2dGeometry): Tensor {
    const kernel = this.shape.slice(2);
    return x.trace.apply("sparse_conv2d", [x, ...this.operands(x.trace)], { ...geometry, kernel });
  }

  clone(): SparseParametrization {
    const { bitmap, values } = this.parts;
    return new SparseParametrization(this.shape, { bitmap: bitmap.clone(), values: values.clone() });
  }

  dispose(): void {
    this.parts.bitmap.dispose();
    this.parts.values.dispose();
  }

  private operands(trace: Trace): [bitmap: Tensor, values: Tensor] {
    return [trace.parameter(this.parts.bitmap), trace.parameter(this.parts.values)];
  }
}
