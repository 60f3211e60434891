// What goes with what: groups, reasons to stay, amounts, and what the plan refuses.
import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError, UnsupportedError } from "../../lib/errors.js";
import * as nn from "../../lib/nn/index.js";
import { attention, concat } from "../../lib/ops/index.js";
import * as optim from "../../lib/optim/index.js";
import { planStructured, sliceStates, type StructuredOptions } from "../../lib/prune/structured/index.js";
import type { Form } from "../../lib/tensor/form.js";
import { array, Parameter, seed, type Tensor } from "../../lib/tensor/index.js";
import { distance, maskedCopy, outputOf, uniform } from "./structured-models.js";

const vector = (features: number) => ({ dtype: "f32", shape: [features] }) as const;
const all = ["channels", "neurons", "heads"] as const;

function planOf<M extends nn.Module>(model: M, shape: readonly number[], options: Partial<StructuredOptions> = {}) {
  return planStructured(model, { structured: all, amount: 0.5, input: { dtype: "f32", shape }, ...options });
}

/** "name axis × places" of every group. */
const membersOf = (plan: ReturnType<typeof planOf>) =>
  plan.groups.map(({ units, members }) => [
    units,
    ...members.map(({ name, axis, perUnit }) => `${name} ${axis} × ${perUnit}`).sort(),
  ]);

const reasonFor = (plan: ReturnType<typeof planOf>, layer: string) =>
  plan.kept.find(({ name }) => name === layer)?.reason;

/** A module of one function, with the layers it uses. */
class Net<Layers extends object> extends nn.Module {
  layers: Layers;
  private readonly body: (x: Tensor, layers: Layers) => Tensor;

  constructor(layers: Layers, body: (x: Tensor, layers: Layers) => Tensor) {
    super();
    this.layers = layers;
    this.body = body;
  }

  forward(x: Tensor): Tensor {
    return this.body(x, this.layers);
  }
}

function expectEqual(model: nn.Module, plan: ReturnType<typeof planOf>, shape: readonly number[]): void {
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

describe("how many go", () => {
  const mlp = () => nn.sequential(nn.linear(3, 10), nn.relu(), nn.linear(10, 20), nn.relu(), nn.linear(20, 2));
  const left = (plan: ReturnType<typeof planOf>) => plan.groups.map(({ units, removed }) => units - removed.length);

  it("is a share, a record or a function, rounded to a multiple, never all", () => {
    expect(left(planOf(mlp(), [3], { amount: 0.3 }))).toEqual([7, 14]);
    expect(left(planOf(mlp(), [3], { amount: { "2": 0.75 } }))).toEqual([10, 5]);
    expect(left(planOf(mlp(), [3], { amount: (name) => (name === "0.weight" ? 0.2 : 0) }))).toEqual([8, 20]);
    expect(left(planOf(mlp(), [3], { amount: 0.3, roundTo: 4 }))).toEqual([8, 16]);
    expect(left(planOf(mlp(), [3], { amount: 0.999 }))).toEqual([1, 1]);
    expect(left(planOf(mlp(), [3], { amount: 0.999, scope: "global" }))).toEqual([1, 1]);
  });

  it("goes by the sum of squares over all that a unit holds, or by a criterion", () => {
    const model = nn.sequential(nn.linear(1, 3, { bias: false }), nn.relu(), nn.linear(3, 1, { bias: false }));
    const [first, second] = model.parameters() as [Parameter, Parameter];
    first.write(array([1, 3, 2], [3, 1]));
    second.write(array([3, 0.5, 1], [1, 3]));
    const [group] = planOf(model, [1], { amount: 0.4 }).groups;
    expect([...group!.scores]).toEqual([10, 9.25, 5]);
    expect(group!.removed).toEqual([2]);
    const magnitude = planOf(model, [1], { amount: 0.4, criterion: ({ weight }) => weight.abs().neg() });
    expect(magnitude.groups[0]!.scores).toEqual([-4, -3.5, -3]);
    expect(magnitude.groups[0]!.removed).toEqual([0]);
    const given = new Map([[first, array([0, 1, 2], [3, 1])], [second, array([5, 0, 0], [1, 3])]]); // prettier-ignore
    const options = { structured: "neurons", amount: 0.4, input: vector(1) } as const;
    expect(planStructured(model, options, given).groups[0]!.scores).toEqual([5, 1, 2]);
    const random = (key: number) =>
      planOf(mlp(), [3], { criterion: ({ random }) => random, seed: key }).groups[0]!.removed;
    expect(random(1)).toEqual(random(1));
    expect(random(1)).not.toEqual(random(2));
  });

  it("compares groups in parts of their mean, or those that look alike", () => {
    const twin = () => nn.residual(nn.linear(4, 6, { bias: false }), nn.relu(), nn.linear(6, 4, { bias: false }));
    const model = nn.sequential(twin(), twin(), nn.linear(4, 2));
    const parameters = model.parameters();
    for (const [i, scale] of [1, 1, 3, 3].entries()) {
      parameters[i]!.write(array(uniform([24], i + 1).data, parameters[i]!.shape));
      const values = parameters[i]!.readSync();
      parameters[i]!.write(
        array(
          (values.data as Float32Array).map((value) => scale * (value + 0.1)),
          values.shape,
        ),
      );
    }
    expect(left(planOf(model, [4], { scope: "isomorphic" }))).toEqual([1, 5]); // at least one stays
    const [small, large] = left(planOf(model, [4], { scope: "global" }));
    expect(small! + large!).toBe(6);
    expect(small).toBeGreaterThan(1);
  });

  it("takes in what matches and leaves out what is kept", () => {
    expect(planOf(mlp(), [3], { match: "0" }).groups.map(({ name }) => name)).toEqual(["0"]);
    expect(planOf(mlp(), [3], { keep: /^4/ }).groups.map(({ name }) => name)).toEqual(["0"]);
    expect(() => planOf(mlp(), [3], { match: "4" })).toThrow(
      'prune.plan: match and keep leave no channels or neurons or heads to prune; there are those of "0", "2"',
    );
  });
});

describe("a plan", () => {
  it("prints what goes with what", () => {
    const model = nn.sequential(nn.linear(3, 4), nn.relu(), nn.linear(4, 2));
    expect(String(planOf(model, [3]))).toBe(
      [
        "0: 4 → 2 neurons, of which each takes",
        "  0.weight  axis 0",
        "  0.bias    axis 0",
        "  2.weight  axis 1",
        "stays as it is",
        "  2  2 neurons  it is the model's output",
        "shapes",
        "  0.weight  [4, 3]  → [2, 3]",
        "  0.bias    [4]     → [2]",
        "  2.weight  [2, 4]  → [2, 2]",
        "parameters 26 → 14 (53.8 %)",
      ].join("\n"),
    );
  });

  it("changes nothing, and shrinks what the model is when it is applied", () => {
    const model = nn.sequential(nn.linear(3, 4), nn.relu(), nn.linear(4, 2));
    const plan = planOf(model, [3]);
    expect(model.parameters().map(({ shape }) => shape)).toEqual([[4, 3], [4], [2, 4], [2]]);
    const bias = model.parameters()[3]!;
    bias.write(array([7, 8]));
    const small = plan.apply();
    expect([...small.parameters()[3]!.readSync().data]).toEqual([7, 8]);
    expect(String(small)).toBe("sequential(linear(3 → 2), relu(), linear(2 → 2))");
    expect(small.namedParameters().map(({ parameter }) => parameter.name)).toEqual(["0.weight", "0.bias", "2.weight", "2.bias"]); // prettier-ignore
  });

  it("cuts masks with their parameters", () => {
    const model = nn.sequential(nn.linear(2, 3, { bias: false }), nn.relu(), nn.linear(3, 1));
    const weight = model.parameters()[0]!;
    weight.write(array([1, 2, 9, 9, 3, 4], [3, 2]));
    weight.setMask(Uint8Array.of(0, 1, 1, 1, 1, 0));
    const small = planOf(model, [2], { amount: 0.3, criterion: ({ weight }) => weight.square().neg() }).apply();
    const [cut] = small.parameters();
    expect([...cut!.readSync().data]).toEqual([0, 2, 3, 0]);
    expect([...cut!.readMask()!]).toEqual([0, 1, 1, 0]);
  });

  it("cuts whatever has a parameter's shape, and the states of an optimizer", () => {
    const model = nn.sequential(nn.linear(2, 4), nn.relu(), nn.linear(4, 1)).assignNames();
    const plan = planOf(model, [2], { criterion: ({ weight }) => weight.square() });
    const [{ removed }] = plan.groups as [(typeof plan.groups)[number]];
    const kept = [0, 1, 2, 3].filter((i) => !removed.includes(i));
    expect([...plan.slice("0.bias", array([0, 1, 2, 3])).data]).toEqual(kept);
    expect([...plan.slice("2.bias", array([5])).data]).toEqual([5]);
    expect(() => plan.slice("0.bias", array([0, 1]))).toThrow(ShapeError);
    expect(() => plan.slice("1.bias", array([0]))).toThrow('prune: the plan knows no parameter "1.bias"');
    using bound = optim.bind(optim.adam(), model.namedParameters());
    const { states } = sliceStates(plan, bound.stateDict());
    const shapes = Object.fromEntries(plan.cuts.map(({ name, after }) => [name, after]));
    for (const [key, { shape }] of Object.entries(states)) {
      expect({ key, shape }).toEqual({ key, shape: shapes[key.slice(0, key.lastIndexOf("."))] ?? [1] });
    }
    expect(Object.keys(states)).toHaveLength(8); // two moments each
    expect(() => sliceStates(plan, { steps: 0, states: { "7.weight.m": array([0]) } })).toThrow(
      'prune.sliceStates: "7.weight.m" is a state of no parameter of the plan',
    );
  });
});

it("is made for a part of a larger model as well, whatever that was traced for", () => {
  const block = nn.transformerBlock({ dim: 8, heads: 4, hidden: 8 });
  outputOf(nn.sequential(nn.linear(2, 8), block), uniform([1, 3, 2], 1));
  expect(planOf(block, [3, 8]).apply().attention.heads).toBe(2);
});

describe("what is refused", () => {
  it("is a size that the code fixes, with the place", () => {
    const reshaped = new Net({ a: nn.linear(3, 8), b: nn.linear(8, 2) }, (x, { a, b }) => b.forward(a.forward(x).reshape([-1, 8]))); // prettier-ignore
    const scaled = new Net({ a: nn.linear(3, 8), b: nn.linear(8, 2) }, (x, { a, b }) => {
      const y = a.forward(x);
      return b.forward(y.mul(1 / Math.sqrt(y.shape[1]!)));
    });
    expect(() => planOf(reshaped, [3]).apply()).toThrow(UnsupportedError);
    expect(() => planOf(reshaped, [3]).apply()).toThrow(
      /^prune: the model's code does not follow its smaller weights \(/,
    );
    expect(() => planOf(scaled, [3]).apply()).toThrow(
      "prune: the model's code has a constant that depends on a size that changes",
    );
    class Fixed extends nn.Module {
      qkv = nn.linear(8, 24);
      out = nn.linear(8, 8);
      forward(x: Tensor) {
        const [B, T] = x.shape as [number, number];
        const y = this.qkv.forward(x);
        const part = (i: number) =>
          y.slice(null, null, [(i * y.shape[2]!) / 3, ((i + 1) * y.shape[2]!) / 3]).reshape([B, T, 4, -1]).swapAxes(1, 2); // prettier-ignore
        return this.out.forward(attention(part(0), part(1), part(2)).swapAxes(1, 2).reshape([B, T, -1]));
      }
    }
    expect(() => planOf(new Fixed(), [5, 8]).apply()).toThrow(
      "prune: reshape has [3, 5, 4, 1] where [3, 5, 2, 2] is left; take sizes from the shapes of x and of the weights",
    );
  });

  it("is a weight that is held in another form", () => {
    const model = nn.sequential(nn.linear(3, 4), nn.relu(), nn.linear(4, 4), nn.relu(), nn.linear(4, 2));
    const form: Form = {
      kind: "fake-int4",
      parts: {},
      packed: false,
      tensor: (_, master) => master!.mul(1),
      clone: () => form,
      dispose: () => undefined,
    };
    const late = planOf(model, [3]);
    model.parameters()[4]!.setForm(form);
    const plan = planOf(model, [3]);
    expect(plan.groups.map(({ name }) => name)).toEqual(["0"]);
    const reason = "the weight is held as fake-int4; prune the structure first, then quantize or pack";
    expect(reasonFor(plan, "2")).toBe(reason);
    expect(() => late.apply()).toThrow('prune: "4.weight" is held as fake-int4, which cannot be cut');
  });

  it("is a wrong option, an unknown input, a function", () => {
    const model = nn.sequential(nn.linear(3, 4), nn.relu(), nn.linear(4, 2));
    const given = { structured: "neurons", amount: 0.5 } as const;
    expect(() => planStructured(model, given)).toThrow("prune.plan: the model has not been trained or run");
    const refuse = (options: object, text: string) =>
      expect(() => planStructured(model, { ...given, input: vector(3), ...options })).toThrow(text);
    refuse({ structured: "rows" }, 'prune.plan: structured must be one of "channels", "neurons", "heads", got "rows"');
    refuse({ structured: [] }, "prune.plan: structured must be one of");
    refuse({ amount: 1 }, 'prune.plan: amount must be from 0 to 1 (not reached), got 1 for "0"');
    refuse({ amounts: 1 }, 'prune.plan: unknown option "amounts", did you mean "amount"?');
    refuse({ roundTo: 0 }, "prune.plan: roundTo must be a whole number from 1 on, got 0");
    refuse({ scope: "all" }, 'prune.plan: scope must be one of "layer", "isomorphic", "global", got "all"');
    refuse({ structured: "channels" }, "prune.plan: the model has no channels that could go");
    refuse({ criterion: ({ weight }: { weight: Tensor }) => weight.sum() }, 'must give a score for every weight of "0.weight", [4, 3], got []'); // prettier-ignore
    expect(() => planStructured(((x: Tensor) => x) as unknown as nn.Module, given)).toThrow(ArgumentError);
  });
});
