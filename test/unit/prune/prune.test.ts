// Masks: how many weights go, which, in which shapes; what is refused; that the original is left alone.
import { describe, expect, it } from "vitest";
import { array, loss, nn, optim, prune, type Parameter, type Tensor } from "../../../lib/index.js";

const values = (parameter: Parameter) => parameter.readSync().data as Float32Array;
const zerosOf = (parameter: Parameter) => values(parameter).filter((v) => v === 0).length;
const linear = (inputs: number, outputs: number, numbers: readonly number[]) => {
  const layer = nn.linear(inputs, outputs, { bias: false });
  layer.weight.write(array(numbers, [outputs, inputs]));
  return layer;
};
const mlp = () => nn.sequential(nn.linear(8, 16), nn.relu(), nn.linear(16, 4));
const weight = (model: nn.Module, name: string) =>
  model.namedParameters().find((named) => named.name === name)!.parameter;

describe("what is pruned", () => {
  it("is the share with the smallest magnitudes, layer by layer", async () => {
    const layer = linear(4, 2, [1, -2, 3, -4, 0.5, 8, -7, 6]);
    const pruned = await prune(layer, { amount: 0.5 });
    expect([...values(pruned.weight)]).toEqual([0, 0, 0, -4, 0, 8, -7, 6]);
    expect([...pruned.weight.readMask()!]).toEqual([0, 0, 0, 1, 0, 1, 1, 1]);
    expect([...values(layer.weight)]).toEqual([1, -2, 3, -4, 0.5, 8, -7, 6]);
    expect(layer.weight.mask).toBeUndefined();
  });

  it("leaves biases, norms and tables alone", async () => {
    const model = nn.sequential(nn.embedding(5, 8), nn.layerNorm(8), nn.linear(8, 4));
    const pruned = await prune(model, { amount: 0.9 });
    const masked = pruned.namedParameters().filter(({ parameter }) => parameter.mask);
    expect(masked.map(({ name }) => name)).toEqual(["2.weight"]);
  });

  it("is what match names, without what keep names, and by the amounts of a record", async () => {
    const model = mlp();
    const named = await prune(model, { amount: 0.5, match: ["0", /bias$/], keep: "0.weight" });
    expect(named.namedParameters().map(({ parameter }) => zerosOf(parameter) > 0)).toEqual([false, true, false, true]);
    const each = await prune(model, { amount: { "0.weight": 0.25, "2": 0.75 } });
    expect([zerosOf(weight(each, "0.weight")), zerosOf(weight(each, "2.weight"))]).toEqual([32, 48]);
    const by = await prune(model, { amount: (name) => (name === "0.weight" ? 0.5 : 0) });
    expect([zerosOf(weight(by, "0.weight")), zerosOf(weight(by, "2.weight"))]).toEqual([64, 0]);
  });

  it("ranks all layers together with scope global, and outputs by themselves with scope row", async () => {
    const model = nn.sequential(linear(2, 2, [1, 2, 3, 4]), linear(2, 2, [10, 20, 30, 40]));
    const together = await prune(model, { amount: 0.5, scope: "global", floor: 0 });
    expect(together.parameters().map(zerosOf)).toEqual([4, 0]);
    const rows = await prune(linear(2, 2, [1, 2, 30, 40]), { amount: 0.5, scope: "row" });
    expect([...values(rows.weight)]).toEqual([0, 2, 0, 40]);
  });

  it("keeps what was pruned before, and adds to it", async () => {
    const model = mlp();
    const half = await prune(model, { amount: 0.5 });
    const before = weight(half, "0.weight").readMask()!;
    const more = await prune(half, { amount: 0.75, criterion: prune.random, seed: 3 });
    const after = weight(more, "0.weight").readMask()!;
    expect(after.filter((kept) => kept === 0).length).toBe(96);
    expect(after.every((kept, i) => kept === 0 || before[i] === 1)).toBe(true);
  });

  it("is random by the seed with the criterion random", async () => {
    const layer = nn.linear(64, 64);
    const masks = await Promise.all(
      [1, 1, 2].map(async (seed) => {
        const pruned = await prune(layer, { amount: 0.5, criterion: prune.random, seed });
        return pruned.weight.readMask()!;
      }),
    );
    expect(masks[0]).toEqual(masks[1]);
    expect(masks[0]).not.toEqual(masks[2]);
    expect(masks[0]!.filter((kept) => kept === 1).length).toBe(2048);
    // A row of 64 has 32 ± 4 left: chance, not rows or columns.
    const left = Array.from({ length: 64 }, (_, o) => masks[0]!.subarray(o * 64, o * 64 + 64).reduce((a, b) => a + b));
    expect(Math.min(...left)).toBeGreaterThan(12);
    expect(Math.max(...left)).toBeLessThan(52);
  });

  it("goes by a criterion of one's own", async () => {
    const layer = linear(4, 1, [1, 2, 3, 4]);
    const pruned = await prune(layer, { amount: 0.5, criterion: ({ weight }) => weight.neg() });
    expect([...values(pruned.weight)]).toEqual([1, 2, 0, 0]);
  });

  it("is put on the model itself by prune.mask", async () => {
    const layer = linear(4, 1, [1, 2, 3, 4]);
    await prune.mask(layer, { amount: 0.5 });
    expect([...values(layer.weight)]).toEqual([0, 0, 3, 4]);
  });

  it("follows a weight that two layers share, and user's classes", async () => {
    class Tied extends nn.Module {
      first = nn.linear(4, 4, { bias: false });
      again = { weight: this.first.weight };
      forward(x: Tensor): Tensor {
        return this.first.forward(x).matmul(this.again.weight);
      }
    }
    const pruned = await prune(new Tied(), { amount: 0.5 });
    expect(pruned.again.weight).toBe(pruned.first.weight);
    expect(zerosOf(pruned.first.weight)).toBe(8);
  });
});

describe("structures", () => {
  it("leave at most N of every M in a row along the inputs", async () => {
    const layer = linear(8, 1, [1, -4, 2, 3, 5, 5, -5, 5]);
    const pruned = await prune(layer, { structure: "2:4" });
    expect([...values(pruned.weight)]).toEqual([0, -4, 0, 3, 5, 5, 0, 0]); // the first of equal ones stay
    const one = await prune(nn.conv2d(4, 6, { kernel: 2 }), { structure: "1:8" });
    const mask = one.weight.readMask()!;
    for (let at = 0; at < mask.length; at += 8) expect(mask.subarray(at, at + 8).reduce((a, b) => a + b)).toBe(1);
  });

  it("take whole blocks, those with the smallest sums", async () => {
    const layer = linear(4, 2, [9, 1, 1, 1, 0, 0, 1, 1]);
    const pruned = await prune(layer, { amount: 0.5, structure: { block: [1, 2] } });
    expect([...values(pruned.weight)]).toEqual([9, 1, 1, 1, 0, 0, 0, 0]);
    const tall = await prune(layer, { amount: 0.5, structure: { block: [2, 2] } });
    expect([...values(tall.weight)]).toEqual([9, 1, 0, 0, 0, 0, 0, 0]);
  });

  it("rank blocks of all layers together with scope global", async () => {
    const model = nn.sequential(linear(2, 2, [1, 1, 2, 2]), linear(2, 2, [10, 10, 20, 20]));
    const pruned = await prune(model, { amount: 0.5, scope: "global", floor: 0, structure: { block: [1, 2] } });
    expect(pruned.parameters().map(zerosOf)).toEqual([4, 0]);
  });
});

describe("the table of sparsity", () => {
  it("counts what is left, layer by layer", async () => {
    const pruned = await prune(mlp(), { amount: { "0.weight": 0.5, "2.weight": 0.25 } });
    const report = await prune.sparsity(pruned);
    expect(report.layers.map(({ nonzero, sparsity, masked }) => [nonzero, sparsity, masked])).toEqual([
      [64, 0.5, true],
      [48, 0.25, true],
    ]);
    expect(report.sparsity).toBeCloseTo(80 / 192, 12);
    expect(String(report)).toMatchInlineSnapshot(`
      "layer     shape    weights  left  pruned
      0.weight  [16, 8]      128    64  50.0 %
      2.weight  [4, 16]       64    48  25.0 %
      all                    192   112  41.7 %"
    `);
  });

  it("is empty for a model without weights", async () => {
    expect((await prune.sparsity(nn.sequential(nn.relu()))).sparsity).toBe(0);
  });
});

describe("what is refused, with the model as it was", () => {
  const set = { x: array(new Float32Array(16), [2, 8]), y: array(Uint8Array.of(0, 1)) };
  const recipe = { data: set, loss: loss.crossEntropy(), optimizer: optim.sgd(), steps: 5 };
  it.each<[string, object, RegExp]>([
    ["no amount", {}, /prune: give amount, the share of weights to prune, such as \{ amount: 0\.9 \}/],
    ["an amount of 1", { amount: 1 }, /prune: amount must be a share from 0 to below 1, got 1$/],
    ["a percentage", { amount: 90 }, /must be a share from 0 to below 1, got 90; 90 % is 0\.9/],
    ["a negative amount", { amount: -0.1 }, /must be a share from 0 to below 1, got -0\.1/],
    ["NaN", { amount: NaN }, /must be a share from 0 to below 1, got NaN/],
    ["an amount of no parameter", { amount: { "0.wieght": 0.5 } }, /amount names no parameter "0\.wieght", did you mean "0\.weight"\?/],
    ["an amount of a parameter out of range", { amount: { "0": 2 } }, /amount of "0" must be a share/],
    ["several amounts, ranked together", { amount: { "0": 0.5 }, scope: "global" }, /scope "global" ranks all weights together, so amount must be one number/],
    ["an unknown option", { ammount: 0.5 }, /prune: unknown option "ammount", did you mean "amount"\?/],
    ["an unknown scope", { amount: 0.5, scope: "all" }, /scope must be one of "layer", "global", "row", got "all"/],
    ["a criterion by name", { amount: 0.5, criterion: "l1" }, /criterion must be a function such as prune\.l1 or prune\.wanda, got "l1"/],
    ["a criterion that gives no tensor", { amount: 0.5, criterion: () => 3 }, /the criterion must return a Tensor of scores, got number/],
    ["a criterion of another shape", { amount: 0.5, criterion: ({ weight }: { weight: Tensor }) => weight.sum() }, /the criterion must give a score for every weight of "0\.weight", f32 \[16, 8\], got f32 \[\]/],
    ["scores that are NaN", { amount: 0.5, criterion: ({ weight }: { weight: Tensor }) => weight.mul(NaN) }, /prune: the criterion scores a weight of "0\.weight", "2\.weight" as NaN$/],
    ["gradients that are NaN", { amount: 0.5, criterion: prune.taylor, calibrate: set, loss: (p: Tensor) => p.mul(NaN).sum() }, /as NaN; it reads gradientSquare of calibrate: check these samples and the loss/],
    ["a structure that is none", { amount: 0.5, structure: "4:2" }, /structure must be "unstructured", "N:M" with N below M such as "2:4", or \{ block: \[rows, inputs\] \}/],
    ["N:M that does not divide", { structure: "2:5" }, /prune: 2:5 takes inputs in groups of 5, "0\.weight" \[16, 8\] has 8 of them; choose another structure or leave it out with keep: \["0\.weight"\]/],
    ["blocks that do not divide", { amount: 0.5, structure: { block: [1, 16] } }, /blocks of 1 × 16 do not divide "0\.weight" \[16, 8\], 16 × 8 as a matrix/],
    ["another amount than N:M's", { amount: 0.75, structure: "2:4" }, /the structure says how much is pruned, 0\.5; leave amount out/],
    ["a scope for N:M", { structure: "2:4", scope: "row" }, /"N:M" compares weights within their groups of M/],
    ["a match of nothing", { amount: 0.5, match: /weights$/ }, /match names no parameter \/weights\$\/; there are "0\.weight", "0\.bias", "2\.weight", "2\.bias"/],
    ["keeping everything", { amount: 0.5, keep: [/./] }, /keep leaves nothing to prune/],
    ["a criterion without its data", { amount: 0.5, criterion: prune.snip }, /the criterion reads gradient, which takes samples: give calibrate: \{ x, y \} and loss/],
    ["a criterion without its inputs", { amount: 0.5, criterion: prune.wanda }, /the criterion reads inputNorm, which takes samples: give calibrate: \{ x, y \}$/],
    ["a criterion without its loss", { amount: 0.5, criterion: prune.taylor, calibrate: set }, /the criterion reads gradientSquare, which takes a loss: give loss/],
    ["a schedule without training", { amount: 0.5, schedule: prune.cubic({ steps: 10 }) }, /the schedule prune\.cubic goes by training steps: give during/],
    ["a schedule longer than the run", { amount: 0.5, schedule: prune.cubic({ steps: 10 }), during: recipe }, /the schedule prune\.cubic takes 10 training steps, the run has 5; shorten it or give during more epochs or steps/],
    ["a rewind past the run's end", { amount: 0.5, schedule: prune.lottery({ rounds: 1, rewindTo: 5 }), during: recipe }, /prune\.lottery goes back to step 5, the run has 5 steps/],
    ["a schedule that is none", { amount: 0.5, schedule: "cubic" }, /schedule must be one of prune, such as prune\.cubic/],
    ["during without data", { amount: 0.5, during: { loss: loss.mse() } }, /during must be the options of train\.fit and data/],
    ["an unknown option of during", { amount: 0.5, during: { ...recipe, lr: 1 } }, /train\.fit: unknown option "lr"/],
    ["a signal that is none", { amount: 0.5, signal: 3 }, /signal must be an AbortSignal/],
  ])("%s", async (_, options, message) => {
    const model = mlp();
    const before = model.parameters().map((parameter) => parameter.readSync());
    await expect(prune(model, options as never)).rejects.toThrow(message);
    expect(model.parameters().map((parameter) => parameter.readSync())).toEqual(before);
    expect(model.parameters().some(({ mask }) => mask)).toBe(false);
  }); // prettier-ignore

  it("a function, a model without weights, what is quantized already, a signal that has fired", async () => {
    await expect(prune(((x: Tensor) => x) as never, { amount: 0.5 })).rejects.toThrow(
      /expected a module, whose parameters it can list, got a function; put it into nn\.sequential/,
    );
    await expect(prune(nn.sequential(nn.relu()), { amount: 0.5 })).rejects.toThrow(/has no weights to prune/);
    const signal = AbortSignal.abort();
    await expect(prune(mlp(), { amount: 0.5, signal })).rejects.toMatchObject({ code: "ERR_ATHANOR_ABORTED" });
  });

  it.each([
    [() => prune.cubic({ steps: 0 }), /prune\.cubic: steps must be a whole number from 1 on, got 0/],
    [
      () => prune.linear({ steps: 5, evry: 1 } as never),
      /prune\.linear: unknown option "evry", did you mean "every"\?/,
    ],
    [() => prune.cubic(undefined as never), /prune\.cubic: expected an object such as \{ steps: 2000 \}/],
    [() => prune.iterative({ rounds: 1.5, steps: 3 }), /rounds must be a whole number from 1 on/],
    [() => prune.lottery({ rounds: 2, rewindTo: -1 }), /rewindTo must be a whole number from 0 on/],
    [() => prune.cubic({ steps: 5, initial: 2 }), /initial must be from 0 to 1, got 2/],
  ])("options of a schedule %#", (make, message) => expect(make).toThrow(message));
});
