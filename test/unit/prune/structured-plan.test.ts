// Plans: how many units go and which, what a plan prints and cuts, and what is refused.
import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError, UnsupportedError } from "../../../lib/errors.js";
import * as nn from "../../../lib/nn/index.js";
import { attention } from "../../../lib/ops/index.js";
import * as optim from "../../../lib/optim/index.js";
import { prune } from "../../../lib/prune/index.js";
import { planStructured, sliceStates, type StructuredPlan } from "../../../lib/prune/structured/index.js";
import type { Parametrization } from "../../../lib/tensor/parametrization.js";
import { array, type Parameter, type Tensor } from "../../../lib/tensor/index.js";
import { Net, outputOf, planOf, uniform } from "./structured-models.js";

const vector = (features: number) => ({ dtype: "f32", shape: [features] }) as const;
const reasonFor = (plan: StructuredPlan, layer: string) => plan.kept.find(({ name }) => name === layer)?.reason;

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
    const form: Parametrization = {
      kind: "fake-int4",
      parts: {},
      packed: false,
      tensor: (_, master) => master!.mul(1),
      clone: () => form,
      dispose: () => undefined,
    };
    const late = planOf(model, [3]);
    model.parameters()[4]!.setParametrization(form);
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
    refuse({ criterion: ({ weight }: { weight: Tensor }) => weight.sum() }, 'must give a score for every weight of "0.weight", f32 [4, 3], got f32 []'); // prettier-ignore
    refuse({ criterion: "l2" }, 'prune.plan: criterion must be a function such as prune.l2 or prune.taylor, got "l2"');
    refuse({ criterion: prune.taylor }, "prune.plan: the criterion reads gradientSquare, which takes samples: await prune(model, {"); // prettier-ignore
    expect(() => planStructured(((x: Tensor) => x) as unknown as nn.Module, given)).toThrow(ArgumentError);
  });
});
