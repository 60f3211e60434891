// The gradient of fused attention where logits are large: against float64, beside the same formula in plain operations. One number a
// row, its log-sum-exp, is kept for the gradient, as PyTorch's scaled_dot_product_attention does, whose f32 errors these are.
import { expect, it } from "vitest";
import { array, compile, ops, type NdArray, type Tensor } from "../../../lib/index.js";
import { random } from "../../ops/value.js";

const [T, D] = [12, 16];
const scale = 1 / Math.sqrt(D);

/** Gradients of Σ g · softmax(q kᵀ · scale) v in float64, and the largest logit. */
function reference([q, k, v, g]: readonly Float64Array[]) {
  const at = (m: Float64Array, row: number, d: number) => m[row * D + d]!;
  const [dq, dk, dv] = [q!, k!, v!].map(() => new Float64Array(T * D)) as [Float64Array, Float64Array, Float64Array];
  const sum = (n: number, f: (i: number) => number) =>
    Array.from({ length: n }, (_, i) => f(i)).reduce((a, b) => a + b);
  let most = 0;
  for (let i = 0; i < T; ++i) {
    const s = Array.from({ length: T }, (_, j) => scale * sum(D, (d) => at(q!, i, d) * at(k!, j, d)));
    most = Math.max(most, ...s.map(Math.abs));
    const top = Math.max(...s);
    const total = sum(T, (j) => Math.exp(s[j]! - top));
    const p = s.map((x) => Math.exp(x - top) / total);
    const dp = p.map((_, j) => sum(D, (d) => at(g!, i, d) * at(v!, j, d)));
    const delta = sum(T, (j) => p[j]! * dp[j]!);
    for (let j = 0; j < T; ++j) {
      const ds = p[j]! * (dp[j]! - delta) * scale;
      for (let d = 0; d < D; ++d) {
        dq[i * D + d]! += ds * at(k!, j, d);
        dk[j * D + d]! += ds * at(q!, i, d);
        dv[j * D + d]! += p[j]! * at(g!, i, d);
      }
    }
  }
  return { gradients: [dq, dk, dv], most };
}

const step = compile((q: Tensor, k: Tensor, v: Tensor, g: Tensor) =>
  q.trace.gradients(ops.attention(q, k, v).mul(g).sum(), [q, k, v]),
);

// Of a logit of size L the rounding to f32 is L · 2⁻²⁴, and so is the relative error of its probability: a few of them meet.
it.each([1, 10, 50, 200])(
  "the gradient of attention at logits of %d has an error of a few roundings of the logit",
  async (size) => {
    const draw = random(7);
    const normal = () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
    const spread = Math.sqrt(size / 3.2);
    const make = (by: number) => Float64Array.from({ length: T * D }, () => Math.fround(normal() * by));
    const inputs = [make(spread), make(spread), make(1), make(1)];
    const { gradients, most } = reference(inputs);
    expect(most).toBeGreaterThan(size / 2);
    const f32 = (values: Float64Array): NdArray => array(Float32Array.from(values), [1, 1, T, D]);
    const got = await step.run(...(inputs.map(f32) as [NdArray, NdArray, NdArray, NdArray]));
    gradients.forEach((want, i) => {
      const largest = want.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const error = want.reduce((a, b, at) => Math.max(a, Math.abs(b - got[i]!.data[at]!)), 0);
      expect(error / largest, `d${"qkv"[i]}`).toBeLessThan(8 * Math.max(1, most) * 2 ** -24 + 2 ** -20);
    });
  },
);
