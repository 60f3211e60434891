// Steps of the caller's own: metrics, programs, randomness, errors.
import { describe, expect, it } from "vitest";
import { array, nn, ops, optim, Parameter, train, type NdArray, type Tensor } from "../../../lib/index.js";

describe("train.step", () => {
  const x = array([1, 2, 3, 4], [2, 2]);

  it("reports further metrics and the gradients' norm", async () => {
    const net = nn.linear(2, 1, { bias: false });
    net.parameters()[0]!.write(array([1, 1], [1, 2]));
    using step = train.step(net, optim.sgd({ lr: 0, clipNorm: 1 }), ({ x }: { x: Tensor }) => {
      const y = net.forward(x); // 3, 7
      return { loss: y.sum(), largest: y.max() };
    });
    const { loss: value, largest, gradNorm } = await step.run({ x });
    expect([value, largest]).toEqual([10, 7]);
    expect(gradNorm).toBeCloseTo(Math.hypot(4, 6), 12);
  });

  it("compiles once for every signature", async () => {
    const net = nn.linear(2, 1);
    let traced = 0;
    using step = train.step(net, optim.adam(), ({ x }: { x: Tensor }) => {
      traced++;
      return net.forward(x).square().mean();
    });
    for (let i = 0; i < 3; i++) await step.run({ x });
    await step.run({ x: array([1, 2], [1, 2]) });
    expect([traced, step.steps, step.bound!.steps]).toEqual([2, 4, 4]);
  });

  it("tells batches apart by names, types and shapes, whichever came before", async () => {
    const weight = new Parameter([1], { fill: nn.init.ones() });
    let traced = 0;
    const body = (batch: Record<string, Tensor>) => {
      traced++;
      const sums = Object.values(batch).map((value) => value.cast("f32").mul(weight).sum());
      return sums.reduce((all, sum) => all.add(sum));
    };
    using step = train.step((x) => x, optim.sgd({ lr: 0 }), body);
    const f32 = array([1, 2], [2]);
    const batches: Record<string, NdArray>[] = [
      { x: f32 },
      { x: array(Int32Array.of(3, 4)) },
      { x: array([5, 6], [1, 2]) },
      { x: f32, y: array([7]) },
      { y: f32 },
      { constructor: f32 },
    ];
    const sums = [3, 7, 11, 10, 3, 3];
    for (const order of [[0, 0, 1, 1], [2, 0, 3, 0, 4, 3], [5, 4, 5, 1, 2]]) {
      for (const i of order) expect((await step.run(batches[i]!)).loss).toBe(sums[i]);
    }
    expect(traced).toBe(6);
    await expect(step.run({ ...batches[0], y: 7 } as never)).rejects.toThrow(/"y" must be an array/);
    await expect(step.run(null as never)).rejects.toThrow(/expected a record of arrays/);
  }); // prettier-ignore

  it("draws other dropout masks at every step, the same for one seed", async () => {
    const losses = async (value: number) => {
      const weight = new Parameter([1], { fill: nn.init.ones() });
      const wide = array(new Float32Array(64).fill(1), [64]);
      const body = ({ x }: { x: Tensor }) => ops.dropout(x, 0.5).mul(weight).mean();
      using step = train.step((x) => x, optim.sgd({ lr: 0 }), body, { seed: value });
      const seen: number[] = [];
      for (let i = 0; i < 4; i++) seen.push((await step.run({ x: wide })).loss);
      return seen;
    };
    const first = await losses(1);
    expect(new Set(first).size).toBeGreaterThan(1);
    expect(await losses(1)).toEqual(first);
    expect(await losses(2)).not.toEqual(first);
  });

  it("throws at a loss that is not finite, the weights as before", async () => {
    const net = nn.linear(2, 1);
    const before = net.parameters().map((parameter) => parameter.readSync());
    using step = train.step(net, optim.sgd(), ({ x }: { x: Tensor }) => net.forward(x).mul(NaN).sum());
    await expect(step.run({ x })).rejects.toThrow(
      /train\.step: the loss is NaN at step 0 \(lr 0\.001\); that step was skipped, the weights are as before it/,
    );
    expect(net.parameters().map((parameter) => parameter.readSync())).toEqual(before);
  });

  it.each<[string, (x: never) => unknown, RegExp]>([
    ["a loss of many numbers", (x: { square(): unknown }) => x.square(), /train\.step: "loss" must be one number, got \[2, 2\]; take its mean\(\)/],
    ["no loss", () => ({}), /must return the loss, or a record with a "loss" in it/],
    ["a number for a loss", () => 3, /must return the loss|must be a Tensor/],
    ["an integer loss", (x: { argmax(axis: number): { max(): unknown } }) => x.argmax(0).max(), /the loss must be f32, got i32/],
  ])("refuses %s", async (_, body, message) => {
    const step = train.step(nn.linear(2, 1), optim.sgd(), (({ x }: { x: never }) => body(x)) as never);
    await expect(step.run({ x } as never)).rejects.toThrow(message);
  }); // prettier-ignore

  it("refuses a batch that is none", async () => {
    const step = train.step(nn.linear(2, 1), optim.sgd(), ({ x }: { x: Tensor }) => x.sum());
    await expect(step.run(x as never)).rejects.toThrow(/expected a record of arrays such as \{ x, y \}/);
    await expect(step.run({ x: [1, 2] } as never)).rejects.toThrow(
      /"x" must be an array made by array\(values, shape\)/,
    );
  });
});
