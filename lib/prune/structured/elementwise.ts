// Elementwise operations: axes are aligned from the last one on, as broadcasting does, and go together index by index.
import type { PruningRule } from "../../native/operations.js";
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

/** Of operations that go element by element, by the name that their rows have. */
export const elementwiseRules = {
  zeros: elementwise(always),
  never: elementwise(never),
  any_factor: elementwise(anyFactor),
  first_operand: elementwise(first),
  bounded_above: elementwise(bounded((bound) => bound <= 0)),
  bounded_below: elementwise(bounded((bound) => bound >= 0)),
  chosen: elementwise(chosen),
} satisfies Partial<Record<PruningRule, Rule>>;
