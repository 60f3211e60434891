// Functions and gradients: a function of tensors is traced once, compiled, and run as often as you like.
//   node scripts/run-ts.mjs examples/functions.ts
import { array, compile, grad, type Tensor } from "athanor";

const f = compile((a: Tensor, b: Tensor) => a.matmul(b).relu().sum());
const a = array([1, -2, 3, 0, 1, -1], [2, 3]);
const b = array([1, 0, 2, 1, 1, 1, 0, 2, 0, 3, 1, 1], [3, 4]);
export const value = (await f.run(a, b)).item();
console.log("sum(relu(a·b)) =", value);

// With respect to the first argument.
const slope = compile(grad((w: Tensor, x: Tensor) => x.matmul(w).square().mean()));
const w = array([1, 2, 3, 4, 5, 6], [3, 2]);
const x = array(
  Array.from({ length: 15 }, (_, i) => i / 10),
  [5, 3],
);
export const gradient = await slope.run(w, x);
console.log("d mean((x·w)²) / dw =", gradient.toArray());

// What became of it: the steps after fusion, their work, the planned memory.
console.log(f.explain(a, b));

// The gradient of a gradient needs nothing more.
const curvature = compile(grad((t: Tensor) => grad((s: Tensor) => s.pow(3).sum())(t).sum()));
export const second = await curvature.run(array([1, 2, 3]));
console.log("(t³)'' =", second.toArray());
