// Methods of a tensor that are more than one operation, written so that their gradients at special points are PyTorch's: see
// docs/guide/special-points.md.
import { ArgumentError } from "../errors.js";
import type { Axes, Operand, ReduceOptions, Tensor } from "./tensor.js";

/** √(Σ x²); where that is 0, its gradient is 0 as well: that of √ alone would be 0 · ∞. */
export function norm(x: Tensor, axes?: Axes, options?: ReduceOptions): Tensor {
  const squares = x.square().sum(axes, options);
  const none = squares.eq(0);
  return none.where(0, none.where(1, squares).sqrt());
}

/**
 * The distances from the mean. Far from zero they would be the mean's own rounding: the mean is taken again, of the distances from
 * it, so that those of a constant row are 0.
 */
export function centered(x: Tensor, axes?: Axes): Tensor {
  const mean = x.mean(axes, { keep: true });
  const rest = x.sub(mean).mean(axes, { keep: true }).stopGradient();
  return x.sub(mean.add(rest));
}

/** x within [low, high]; at a bound the gradient is x's. */
export function clamp(x: Tensor, low: Operand, high: Operand): Tensor {
  const [from, to] = [low, high].map((bound) => (typeof bound === "number" ? bound : undefined));
  if (Number.isNaN(from) || Number.isNaN(to) || (from !== undefined && to !== undefined && from > to)) {
    throw new ArgumentError(`clamp: the bounds must be numbers in order, got ${from} and ${to}`);
  }
  const [least, most] = [x.operand(low, x.dtype, "clamp"), x.operand(high, x.dtype, "clamp")];
  const above = x.ge(least).where(x, x.maximum(least)); // a NaN on either side stays
  return above.le(most).where(above, above.minimum(most));
}

/** Whole quotients, rounded down. Of i32 the divisor is looked at when run: there is no whole number for a quotient by 0. */
export function floorDiv(x: Tensor, other: Operand): Tensor {
  if (x.dtype !== "i32") return x.div(other).floor();
  const divisor = divisorOf(x, other, "floorDiv");
  const rest = x.trace.apply("mod", [x, divisor]);
  const opposite = x.lt(0).xor(divisor.lt(0));
  const below = rest.ne(0).and(opposite).cast("i32");
  return x.trace.apply("div", [x, divisor]).sub(below); // div cuts towards zero
}

/** The divisor of whole numbers, which may not be 0. @throws ArgumentError for the number 0 */
export function divisorOf(x: Tensor, other: Operand, where: string): Tensor {
  if (other === 0) {
    throw new ArgumentError(
      `${where}: division by zero: i32 has no infinity; cast the tensor to f32 first: x.cast("f32")`,
    );
  }
  const divisor = x.operand(other, x.dtype, where);
  if (typeof other === "number" || divisor.dtype !== "i32") return divisor;
  return x.trace.apply("checked_i32", [divisor], { rule: "nonzero", name: where });
}

/** The exponent of whole numbers, which may not be negative. @throws ArgumentError for a negative number */
export function exponentOf(x: Tensor, other: Operand): Tensor {
  if (typeof other === "number" && other < 0) {
    throw new ArgumentError(
      `pow: whole numbers have no power of ${other}; cast the tensor to f32 first: x.cast("f32")`,
    );
  }
  const exponent = x.operand(other, x.dtype, "pow");
  if (typeof other === "number" || exponent.dtype !== "i32") return exponent;
  return x.trace.apply("checked_i32", [exponent], { rule: "nonnegative", name: "pow" });
}

/**
 * Whole numbers as i32 or u8: labels and indices, of whatever type they came in.
 *
 * @param where what they are, which begins the sentence of a run that meets another number.
 */
export function wholeNumbers(x: Tensor, where: string): Tensor {
  if (x.dtype === "i32" || x.dtype === "u8") return x;
  if (x.dtype === "bool") return x.cast("i32");
  return x.trace.apply("exact_i32", [x.stopGradient()], { name: where });
}
