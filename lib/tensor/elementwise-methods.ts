// The elementwise operations that a tensor has methods for and that are one node each, the same for all element types.
import type { NoAttrs, OpAttrs, operations, OpName } from "../native/operations.js";
import type { Operand, Tensor } from "./tensor.js";

/** Operations of so many operands and no attributes. */
export type PlainOp<Arity extends number> = {
  [O in OpName]: (typeof operations)[O]["arity"] extends Arity ? (NoAttrs extends OpAttrs[O] ? O : never) : never;
}[OpName];

/** What {@link Tensor} inherits: its methods for elementwise operations. */
export abstract class ElementwiseMethods {
  /** @internal */
  protected abstract unary(op: PlainOp<1>): Tensor;
  /** @internal */
  protected abstract binary(op: PlainOp<2>, other: Operand): Tensor;

  // Elementwise, one operand.
  neg(): Tensor {
    return this.unary("neg");
  }
  abs(): Tensor {
    return this.unary("abs");
  }
  /** -1, 0 or 1. */
  sign(): Tensor {
    return this.unary("sign");
  }
  exp(): Tensor {
    return this.unary("exp");
  }
  /** e^x - 1, exact near 0. */
  expm1(): Tensor {
    return this.unary("expm1");
  }
  log(): Tensor {
    return this.unary("log");
  }
  /** log(1 + x), exact near 0. */
  log1p(): Tensor {
    return this.unary("log1p");
  }
  sqrt(): Tensor {
    return this.unary("sqrt");
  }
  /** 1 / √x */
  rsqrt(): Tensor {
    return this.unary("rsqrt");
  }
  square(): Tensor {
    return this.unary("square");
  }
  /** 1 / x */
  reciprocal(): Tensor {
    return this.unary("reciprocal");
  }
  sin(): Tensor {
    return this.unary("sin");
  }
  cos(): Tensor {
    return this.unary("cos");
  }
  tanh(): Tensor {
    return this.unary("tanh");
  }
  sigmoid(): Tensor {
    return this.unary("sigmoid");
  }
  relu(): Tensor {
    return this.unary("relu");
  }
  /** x Φ(x), by the error function; `"tanh"` is the approximation of Hendrycks and Gimpel (2016). */
  gelu(form: "erf" | "tanh" = "erf"): Tensor {
    return this.unary(form === "tanh" ? "gelu_tanh" : "gelu");
  }
  /** x sigmoid(x) */
  silu(): Tensor {
    return this.unary("silu");
  }
  /** log(1 + e^x) */
  softplus(): Tensor {
    return this.unary("softplus");
  }
  /** x / (1 + |x|) */
  softsign(): Tensor {
    return this.unary("softsign");
  }
  /** x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019); the gradient is 0 up to -3 and 1 from 3 on. */
  hardswish(): Tensor {
    return this.unary("hardswish");
  }
  /** x tanh(log(1 + e^x)) (Misra 2019). */
  mish(): Tensor {
    return this.unary("mish");
  }
  /** λ x above 0, λ α (e^x - 1) below, λ ≈ 1.0507 and α ≈ 1.6733 (Klambauer et al. 2017). */
  selu(): Tensor {
    return this.unary("selu");
  }
  erf(): Tensor {
    return this.unary("erf");
  }
  floor(): Tensor {
    return this.unary("floor");
  }
  ceil(): Tensor {
    return this.unary("ceil");
  }
  /** Halves to even. */
  round(): Tensor {
    return this.unary("round");
  }
  not(): Tensor {
    return this.unary("logical_not");
  }
  isFinite(): Tensor {
    return this.unary("is_finite");
  }
  isNaN(): Tensor {
    return this.unary("is_nan");
  }

  // Elementwise, two operands, with broadcasting.
  add(other: Operand): Tensor {
    return this.binary("add", other);
  }
  sub(other: Operand): Tensor {
    return this.binary("sub", other);
  }
  mul(other: Operand): Tensor {
    return this.binary("mul", other);
  }
  minimum(other: Operand): Tensor {
    return this.binary("minimum", other);
  }
  maximum(other: Operand): Tensor {
    return this.binary("maximum", other);
  }
  eq(other: Operand): Tensor {
    return this.binary("eq", other);
  }
  ne(other: Operand): Tensor {
    return this.binary("ne", other);
  }
  lt(other: Operand): Tensor {
    return this.binary("lt", other);
  }
  le(other: Operand): Tensor {
    return this.binary("le", other);
  }
  gt(other: Operand): Tensor {
    return this.binary("gt", other);
  }
  ge(other: Operand): Tensor {
    return this.binary("ge", other);
  }
  and(other: Operand): Tensor {
    return this.binary("logical_and", other);
  }
  or(other: Operand): Tensor {
    return this.binary("logical_or", other);
  }
  xor(other: Operand): Tensor {
    return this.binary("logical_xor", other);
  }
}
