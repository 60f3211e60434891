// Elementwise operations: axes are aligned from the last one on, as broadcasting does, and go together index by index.
import type { Axis } from "./units.js";
import type { Context, Rule, Value } from "./value.js";

type ZeroRule = (inputs: readonly Value[], zeroAt: readonly boolean[], node: Context["node"]) => boolean;

const always: ZeroRule = (_, zeroAt) => zeroAt.every(Boolean);
const never: ZeroRule = () => false;
const anyFactor: ZeroRule = (_, zeroAt) => zeroAt.some(Boolean);
const first: ZeroRule = (_, zeroAt) => zeroAt[0]!;
// A bound on the right side of 0 leaves a 0 as it is.
const bounded =
  (holds: (bound: number) => boolean): ZeroRule =>
  (inputs, zeroAt) =>
    zeroAt.every((zero, i) => zero || (inputs[i]!.scalar !== undefined && holds(inputs[i]!.scalar)));
const chosen: ZeroRule = (inputs, zeroAt) => zeroAt.slice(1).every((zero, i) => zero || inputs[i + 1]!.scalar === 0);

/** Where a result is 0 if its operands are: f(0) = 0. */
const zeroRules: Readonly<Record<string, ZeroRule>> = {
  ...Object.fromEntries(
    [
      ...["neg", "abs", "sign", "expm1", "log1p", "sqrt", "square", "sin", "tanh", "relu", "gelu", "gelu_tanh", "silu"],
      ...["erf", "floor", "ceil", "round", "cast", "stop_gradient", "add", "sub", "broadcast_to"],
    ].map((op) => [op, always]),
  ),
  mul: anyFactor,
  div: first,
  maximum: bounded((bound) => bound <= 0),
  minimum: bounded((bound) => bound >= 0),
  where: chosen,
  ...Object.fromEntries(
    [
      ...["exp", "log", "rsqrt", "reciprocal", "sigmoid", "softplus", "cos", "logical_not", "is_finite", "is_nan"],
      ...["pow", "mod", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"],
    ].map((op) => [op, never]),
  ),
};

function elementwise(zeroRule: ZeroRule): Rule {
  return ({ units, node, inputs, shape }) => {
    const axes = shape.map((extent, axis): Axis => {
      const aligned = inputs
        .map((input) => input.axes[axis - shape.length + input.axes.length])
        .filter((other): other is Axis => other?.length === extent);
      for (const other of aligned.slice(1)) units.joinAxes(aligned[0]!, other);
      return aligned[0] ?? units.fresh(extent);
    });
    const zero = shape.map((extent, axis) => {
      const zeroAt = inputs.map((input) => {
        const own = axis - shape.length + input.axes.length;
        return input.axes[own]?.length === extent && input.zero[own]!;
      });
      return zeroRule(inputs, zeroAt, node);
    });
    return [{ axes, zero, weight: inputs.every(({ weight }) => weight) }];
  };
}

/** Rules by operation. */
export const elementwiseRules: Readonly<Record<string, Rule>> = Object.fromEntries(
  Object.entries(zeroRules).map(([op, rule]) => [op, elementwise(rule)]),
);
