// native/ops/elementwise/activation_grad.cc: dx = op(dy, x) or op(dy, y).
import { typed, type OpSpec } from "../spec.js";
import type { ToleranceClass } from "../../tolerances.js";
import { elementwise, type Domain, type Scalar } from "./elementwise.js";
import { geluSlope, geluTanhSlope, siluSlope } from "./special-functions.js";

const around: Domain = { low: -3, high: 3 };

const slope = (
  name: string,
  f: Scalar,
  { second = around, tolerance = "formula" }: { second?: Domain; tolerance?: ToleranceClass } = {},
): OpSpec =>
  elementwise({
    f,
    arity: 2,
    tolerance,
    dtypes: name === "relu_grad" ? ["f32", "f64", "i32"] : ["f32", "f64"],
    domains: [around, second],
    // Infinities and huge numbers meet in the formula in an order that is nobody's business.
    extremes: name === "relu_grad",
    gradients: [0, 1],
    ...(name === "relu_grad" ? { smooth: [around, { low: 0.5, high: 2 }] } : {}),
    errors: [
      {
        inputs: [typed("f32", 2), typed("f64", 2)],
        code: "ERR_ATHANOR_DTYPE",
        message: `${name}: operands must have one element type, got f32 and f64; cast one of them`,
      },
    ],
  });

export const activationGrad = {
  relu_grad: slope("relu_grad", (dy, y) => (y <= 0 ? 0 : dy), { tolerance: "rounded" }),
  gelu_grad: slope("gelu_grad", (dy, x) => dy * geluSlope(x)),
  gelu_tanh_grad: slope("gelu_tanh_grad", (dy, x) => dy * geluTanhSlope(x)),
  silu_grad: slope("silu_grad", (dy, x) => dy * siluSlope(x)),
  tanh_grad: slope("tanh_grad", (dy, y) => dy * (1 - y * y), { second: { low: -0.99, high: 0.99 } }),
  sigmoid_grad: slope("sigmoid_grad", (dy, y) => dy * y * (1 - y), { second: { low: 0.01, high: 0.99 } }),
} as const;
