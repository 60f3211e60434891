// What goes with what, and what must stay.
import { describe, expect, it } from "vitest";
import * as nn from "../../../lib/nn/index.js";
import { attention, concat } from "../../../lib/ops/index.js";
import type { StructuredPlan } from "../../../lib/prune/structured/index.js";
import { array, seed, type Tensor } from "../../../lib/tensor/index.js";
import { distance, maskedCopy, Net, outputOf, planOf, uniform } from "./structured-models.js";

/** "name axis × places" of every group. */
const membersOf = (plan: StructuredPlan) =>
  plan.groups.map(({ units, members }) => [
    units,
    ...members.map(({ name, axis, perUnit }) => `${name} ${axis} × ${perUnit}`).sort(),
  ]);

const reasonFor = (plan: StructuredPlan, layer: string) => plan.kept.find(({ name }) => name === layer)?.reason;

function expectEqual(model: nn.Module, plan: StructuredPlan, shape: readonly number[]): void {
  const x = uniform([3, ...shape], 11);
  expect(distance(outputOf(plan.apply(), x), outputOf(maskedCopy(model, plan), x))).toBeLessThan(1e-5);
}

describe("groups", () => {
  it("follow a convolution through norm, pooling and flatten into a linear layer", () => {
    const model = nn.sequential(
      nn.conv2d(1, 4, { kernel: 3 }), nn.batchNorm(4), nn.relu(), nn.maxPool2d(2), nn.flatten(), nn.linear(36, 2),
    ); // prettier-ignore
    expect(membersOf(planOf(model, [1, 8, 8]))).toEqual([
      [4, "0.bias 0 × 1", "0.weight 0 × 1", "1.bias 0 × 1", "1.runningMean 0 × 1", "1.runningVar 0 × 1", "1.weight 0 × 1", "5.weight 1 × 9"],
    ]); // prettier-ignore
  });

  it("are one for all layers that a residual join ties", () => {
    const model = nn.sequential(
      nn.linear(3, 8, { bias: false }),
      nn.residual(nn.relu(), nn.linear(8, 8, { bias: false })),
      nn.residual(nn.relu(), nn.linear(8, 8, { bias: false })),
      nn.linear(8, 2, { bias: false }),
    );
    const plan = planOf(model, [3]);
    expect(plan.groups.map(({ name }) => name)).toEqual(["0 + 1.inner.1 + 2.inner.1"]);
    expect(membersOf(plan)).toEqual([
      [8, "0.weight 0 × 1", "1.inner.1.weight 0 × 1", "1.inner.1.weight 1 × 1", "2.inner.1.weight 0 × 1", "2.inner.1.weight 1 × 1", "3.weight 1 × 1"],
    ]); // prettier-ignore
    expectEqual(model, plan, [3]);
  });

  it("come apart at a concat", () => {
    const model = new Net({ a: nn.linear(3, 4), b: nn.linear(3, 6), c: nn.linear(10, 2) }, (x, { a, b, c }) =>
      c.forward(concat([a.forward(x).relu(), b.forward(x).relu()], 1)),
    );
    const plan = planOf(model, [3]);
    expect(plan.cuts.find(({ name }) => name === "layers.c.weight")?.after).toEqual([2, 5]);
    expect(plan.groups.map(({ units }) => units)).toEqual([4, 6]);
    expectEqual(model, plan, [3]);
  });

  it("tie the halves of a gated layer", () => {
    const model = new Net({ up: nn.linear(3, 8), down: nn.linear(4, 2) }, (x, { up, down }) => {
      const y = up.forward(x);
      const half = y.shape[1]! / 2;
      return down.forward(
        y
          .slice(null, [0, half])
          .silu()
          .mul(y.slice(null, [half, 2 * half])),
      );
    });
    const plan = planOf(model, [3]);
    expect(membersOf(plan)).toEqual([
      [4, "layers.down.weight 1 × 1", "layers.up.bias 0 × 2", "layers.up.weight 0 × 2"],
    ]);
    expectEqual(model, plan, [3]);
  });

  it("hold both uses of a tied weight", () => {
    const inner = nn.linear(6, 6, { bias: false });
    const model = nn.sequential(nn.linear(3, 6), nn.relu(), inner, nn.relu(), inner, nn.relu(), nn.linear(6, 2));
    const plan = planOf(model, [3]);
    expect(membersOf(plan)).toEqual([
      [6, "0.bias 0 × 1", "0.weight 0 × 1", "2.weight 0 × 1", "2.weight 1 × 1", "6.weight 1 × 1"],
    ]);
    expectEqual(model, plan, [3]);
  });

  it("of a depthwise convolution are its channels, of a grouped one whole groups or a channel of each", () => {
    const depthwise = nn.sequential(nn.conv2d(2, 6, { kernel: 1 }), nn.conv2d(6, 12, { kernel: 3, groups: 6 }), nn.conv2d(12, 2, { kernel: 1 })); // prettier-ignore
    expect(planOf(depthwise, [2, 5, 5]).groups.map(({ units }) => units)).toEqual([6]);
    const grouped = (groups: number) =>
      nn.sequential(nn.conv2d(2, 12, { kernel: 1 }), nn.conv2d(12, 12, { kernel: 3, groups }), nn.conv2d(12, 2, { kernel: 1 })); // prettier-ignore
    expect(planOf(grouped(6), [2, 5, 5]).groups.map(({ units }) => units)).toEqual([6]);
    expect(planOf(grouped(2), [2, 5, 5]).groups.map(({ units }) => units)).toEqual([6, 6]);
    for (const model of [depthwise, grouped(6), grouped(2)]) expectEqual(model, planOf(model, [2, 5, 5]), [2, 5, 5]);
  });

  it("see attention heads in the user's own code, however the projection is cut", () => {
    seed(5);
    const layers = () => ({ qkv: nn.linear(8, 24), out: nn.linear(8, 8) });
    const join = (y: Tensor, out: nn.Linear) => {
      const [B, H, T, D] = y.shape as [number, number, number, number];
      return out.forward(y.swapAxes(1, 2).reshape([B, T, H * D]));
    };
    // As timm writes it: (3, H, D), with the number of heads in no field.
    const fused = new Net(layers(), (x, { qkv, out }) => {
      const [B, T] = x.shape as [number, number];
      const y = qkv.forward(x).reshape([B, T, 3, -1, 2]).transpose([2, 0, 3, 1, 4]); // (3, B, H, T, D)
      const part = (i: number) => y.slice([i, i + 1]).squeeze(0);
      return join(attention(part(0), part(1), part(2)), out);
    });
    // By hand, with products and a softmax.
    const byHand = new Net(layers(), (x, { qkv, out }) => {
      const [B, T] = x.shape as [number, number];
      const y = qkv.forward(x);
      const width = y.shape[2]! / 3;
      const part = (i: number) =>
        y.slice(null, null, [i * width, (i + 1) * width]).reshape([B, T, -1, 2]).swapAxes(1, 2); // prettier-ignore
      const scores = part(0).matmul(part(1), { transB: true }).mul(Math.SQRT1_2).softmax();
      return join(scores.matmul(part(2)), out);
    });
    for (const model of [fused, byHand]) {
      const plan = planOf(model, [5, 8], { structured: "heads" });
      expect(membersOf(plan)).toEqual([
        [4, "layers.out.weight 1 × 2", "layers.qkv.bias 0 × 6", "layers.qkv.weight 0 × 6"],
      ]);
      expectEqual(model, plan, [5, 8]);
    }
  });
});

describe("what must stay", () => {
  it("says why: output, norms, means, unknown operations, constants", () => {
    const layers = () =>
      new Net(
        { a: nn.linear(3, 8), norm: nn.layerNorm(8), b: nn.linear(8, 6), c: nn.linear(6, 4), d: nn.linear(4, 5) },
        (x, { a, norm, b, c, d }) => {
          const y = b.forward(norm.forward(a.forward(x)));
          const z = c.forward(y.add(y.mean(1, { keep: true })));
          return d.forward(z.mul(array([1, 2, 3, 4])));
        },
      );
    const reasons = ["layers.a", "layers.b", "layers.c", "layers.d"].map((name) =>
      reasonFor(
        planOf(nn.sequential(layers(), nn.relu(), nn.linear(5, 3), nn.relu(), nn.linear(3, 2)), [3]),
        `0.${name}`,
      ),
    );
    expect(reasons).toEqual([
      'layer_norm in layer "0.layers.norm" takes its mean and variance over it',
      'mean in layer "0" runs over it',
      "the code has a constant of its size",
      undefined,
    ]);
    expect(() => planOf(layers(), [3])).toThrow(
      'prune.plan: the model has no channels or neurons or heads that could go ("layers.a": layer_norm in layer "layers.norm" takes its mean and variance over it;',
    );
  });

  it("has units of one part only where the other part is the input's", () => {
    const model = new Net({ a: nn.linear(3, 4), b: nn.linear(7, 2) }, (x, { a, b }) => b.forward(concat([x, a.forward(x)], 1))); // prettier-ignore
    const plan = planOf(model, [3]);
    expect(membersOf(plan)).toEqual([[4, "layers.a.bias 0 × 1", "layers.a.weight 0 × 1", "layers.b.weight 1 × 1"]]);
    expectEqual(model, plan, [3]);
  });

  it("are rows of a table and what a sum would miss", () => {
    const model = new Net({ table: nn.embedding(9, 6), out: nn.linear(6, 3) }, (x, { table, out }) =>
      out.forward(table.forward(x.cast("i32")).sum(1)),
    );
    const plan = planOf(model, [4]);
    expect(plan.cuts.map(({ name, after }) => [name, after])).toEqual([
      ["layers.table.weight", [9, 3]],
      ["layers.out.weight", [3, 3]],
    ]);
    const shifted = new Net({ a: nn.linear(3, 6), b: nn.linear(6, 2) }, (x, { a, b }) => {
      const y = a.forward(x);
      return b.forward(y).add(y.exp().sum(1, { keep: true })); // e⁰ is 1
    });
    expect(() => planOf(shifted, [3])).toThrow('"layers.a": sum runs over it');
  });
});
