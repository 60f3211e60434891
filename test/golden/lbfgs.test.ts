// train.lbfgs beside torch.optim.LBFGS: what counts is PyTorch's float64 run; its own float32 run is off by `drift`, and so may we be,
// a few times over.
import { describe, expect, it } from "vitest";
import { AbortedError, ArgumentError, NonFiniteError } from "../../lib/errors.js";
import { array, loss, nn, train, Parameter, type NdArray, type Tensor } from "../../lib/index.js";
import { driftFactor } from "../tolerances.js";
import { readGolden, type LbfgsRecord } from "./read.js";

const { record, tensor } = readGolden("lbfgs");
type Case = LbfgsRecord["cases"][number];

const stored = (key: string): NdArray => {
  const { data, shape } = tensor(key);
  return array(Float32Array.from(data), shape);
};
const batch = {
  x: stored(record.data.x),
  y: stored(record.data.target),
  labels: array(Int32Array.from(tensor(record.data.labels).data), [24]),
};
type Inputs = { readonly [Name in keyof typeof batch]: Tensor };

class Held extends nn.Module {
  values: Parameter[];
  constructor(start: readonly NdArray[]) {
    super();
    this.values = start.map((values) => {
      const parameter = new Parameter(values.shape);
      parameter.write(values);
      return parameter;
    });
  }
  forward(x: Tensor): Tensor {
    return x;
  }
}

const functions: Record<Case["name"], (p: Tensor[], inputs: Inputs) => Tensor> = {
  logistic: ([bias, weight], { x, labels }) =>
    loss.crossEntropy()(x.matmul(weight!).add(bias!), labels).add(weight!.square().sum().mul(0.01)),
  tanh: ([b, w, c, v], { x, y }) => x.matmul(w!).add(b!).tanh().matmul(v!).add(c!).sub(y).square().mean(),
};

const minimize = (model: Held, name: Case["name"], options: train.LbfgsOptions) =>
  train.lbfgs<Inputs>(model, batch, (inputs) => functions[name](model.values.map((each) => each.tensor()), inputs), options); // prettier-ignore

const held = (item: Case) => new Held(Object.values(item.start).map(stored));
const valuesOf = ({ values }: Held) => values.flatMap((each) => [...(each.readSync().data as Float32Array)]);

describe("train.lbfgs", () => {
  it.each(record.cases)("follows PyTorch: $name, a history of $history", async (item) => {
    for (const [iterations, { parameters, loss: wanted, drift }] of Object.entries(item.expected)) {
      const model = held(item);
      const seen: number[] = [];
      const result = await minimize(model, item.name, {
        history: item.history,
        maxIterations: Number(iterations),
        maxEvaluations: 1000,
        toleranceGradient: 0,
        toleranceChange: 0,
        onIteration: ({ loss: value }) => seen.push(value),
      });
      expect(Math.abs(result.loss - wanted)).toBeLessThanOrEqual(driftFactor * drift + 1e-7);
      const got = valuesOf(model);
      const off = Math.max(...[...tensor(parameters).data].map((value, i) => Math.abs(value - got[i]!)));
      expect(off).toBeLessThanOrEqual(driftFactor * drift + 1e-7);
      expect(seen).toHaveLength(result.iterations);
      expect(seen.every((value, i) => i === 0 || value <= seen[i - 1]!)).toBe(true);
    }
  });

  // f(x, y) = (1 - x)² + 100 (y - x²)², whose valley bends and whose minimum is 0 at (1, 1).
  it("finds the minimum of Rosenbrock's function", async () => {
    const model = new Held([array([-1.2, 1], [2])]);
    const points = { x: array([1, 0], [1, 2]), y: array([0, 1], [1, 2]) };
    const result = await train.lbfgs(model, points, ({ x, y }) => {
      const p = model.values[0]!.tensor();
      const [a, b] = [p.mul(x).sum(), p.mul(y).sum()];
      return a.mul(-1).add(1).square().add(b.sub(a.square()).square().mul(100));
    });
    expect(valuesOf(model)[0]).toBeCloseTo(1, 3);
    expect(valuesOf(model)[1]).toBeCloseTo(1, 3);
    expect(result.loss).toBeLessThan(1e-7);
    expect(result.evaluations).toBeLessThan(80);
  });

  it("turns back where the function is not finite, and leaves what a mask hides at zero", async () => {
    const model = new Held([array([5, 5], [2])]);
    model.values[0]!.setMask(new Uint8Array([1, 0]));
    // log is NaN below zero; x - log x has its minimum at 1. The first step along -gradient of 100 (x - log x) goes below zero.
    const one = { x: array([1], [1]), y: array([1], [1]) };
    const result = await train.lbfgs(
      model,
      one,
      ({ x }) => {
        const p = model.values[0]!.tensor().mul(x);
        return p
          .add(array([0, 1], [2]))
          .sub(p.add(array([0, 1], [2])).log())
          .mul(100)
          .sum();
      },
      { lr: 20 },
    );
    expect(valuesOf(model)[0]).toBeCloseTo(1, 3);
    expect(valuesOf(model)[1]).toBe(0);
    expect(Number.isFinite(result.loss)).toBe(true);
  });

  it("says why it ended", async () => {
    const [item] = record.cases;
    expect(await minimize(held(item!), "logistic", { maxIterations: 2 })).toMatchObject({
      stopped: "iterations",
      iterations: 2,
    });
    const few = await minimize(held(item!), "logistic", { maxEvaluations: 3 });
    expect(few).toMatchObject({ stopped: "evaluations" });
    expect(few.evaluations).toBeLessThanOrEqual(4);
    expect((await minimize(held(item!), "logistic", { toleranceGradient: 1e-3 })).stopped).toBe("gradient");
    expect((await minimize(held(item!), "logistic", { toleranceChange: 1e-2 })).stopped).toBe("change");
  });

  it("leaves the weights of the last finished iteration when it is aborted or fails", async () => {
    const [item] = record.cases;
    const model = held(item!);
    const abort = new AbortController();
    const run = minimize(model, "logistic", {
      signal: abort.signal,
      onIteration: ({ iteration }) => (iteration === 3 ? abort.abort() : undefined),
    });
    await expect(run).rejects.toThrow(AbortedError);
    const twin = held(item!);
    await minimize(twin, "logistic", { maxIterations: 3, maxEvaluations: 100 });
    expect(valuesOf(model)).toEqual(valuesOf(twin));
  });

  it("refuses what it cannot minimize", async () => {
    const model = new Held([array([-1], [1])]);
    const one = { x: array([1], [1]), y: array([1], [1]) };
    await expect(train.lbfgs(model, one, () => model.values[0]!.tensor().log().sum())).rejects.toThrow(NonFiniteError);
    await expect(train.lbfgs(model, one, ({ x }) => x.sum())).rejects.toThrow(
      /does not depend on a trainable parameter/,
    );
    await expect(train.lbfgs(model, one, ({ x }) => x.sum(), { lr: -1 })).rejects.toThrow(ArgumentError);
    await expect(train.lbfgs(model, one, ({ x }) => x.sum(), { histroy: 3 } as never)).rejects.toThrow(/history/);
  });
});
