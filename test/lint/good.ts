// What is not a mistake: the lint rules must say nothing here.
import { compile, ops, type Tensor } from "../../lib/index.js";

export const f = compile((x: Tensor, y?: Tensor) => {
  const other = y ?? x;
  if (y) return ops.where(x.gt(0), x, y);
  if (x.rank > 2 && x.dtype === "f32") return x.flatten();
  return x.trace.training ? other.relu() : other;
});
