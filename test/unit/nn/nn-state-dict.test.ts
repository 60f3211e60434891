// Values of a model by name: taken out, put back, and what is said where they do not fit.
import { expect, describe, it } from "vitest";
import {
  ArgumentError,
  array,
  data,
  loss,
  nn,
  optim,
  prune,
  quantize,
  StateMismatchError,
  train,
} from "../../../lib/index.js";
import type { StateDifferences } from "../../../lib/index.js";

const build = () =>
  nn.sequential(nn.conv2d(1, 2, { kernel: 3 }), nn.batchNorm(2), nn.relu(), nn.flatten(), nn.linear(8, 3));
const set = data.fromArrays({
  x: array(
    Float32Array.from({ length: 12 * 16 }, (_, i) => Math.sin(i * i)),
    [12, 1, 4, 4],
  ),
  y: array(Uint8Array.from({ length: 12 }, (_, i) => i % 3)),
});
const trained = async () => {
  const model = build();
  await train.fit(model, set, { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.1 }), batchSize: 4 });
  return model;
};
const says = async (model: nn.Module) => (await train.predict(model, set.x)).data;

describe("stateDict", () => {
  it("carries a trained model, its running statistics included, into another of the same layers", async () => {
    const [model, other] = [await trained(), build()];
    expect(await says(other)).not.toEqual(await says(model));
    expect(other.loadStateDict(model.stateDict())).toEqual({ missing: [], unexpected: [], shapes: [] });
    expect(await says(other)).toEqual(await says(model));
  });

  it("gives copies", () => {
    const model = nn.linear(2, 1);
    const state = model.stateDict();
    const before = [...state.weight!.data];
    model.weight.write(array([5, 6], [1, 2]));
    expect([...state.weight!.data]).toEqual(before);
  });

  it("carries masks, and takes away those that are not among the values", async () => {
    const masked = await prune(nn.linear(8, 4), { amount: 0.5 });
    const state = masked.stateDict();
    expect(Object.keys(state)).toEqual(["weight", "weight.mask", "bias"]);
    const other = nn.linear(8, 4);
    other.loadStateDict(state);
    expect(other.weight.readMask()).toEqual(masked.weight.readMask());
    other.loadStateDict(nn.linear(8, 4).stateDict());
    expect(other.weight.readMask()).toBeUndefined();
  });

  it("carries packed weights by their parts", async () => {
    const [model, fresh] = [nn.sequential(nn.linear(32, 4)), nn.sequential(nn.linear(32, 4))];
    const [packed, other] = [await quantize(model, quantize.int8()), await quantize(fresh, quantize.int8())];
    expect(other.loadStateDict(packed.stateDict()).unexpected).toEqual([]);
    expect(other.parameters().map((each) => [...each.readSync().data])).toEqual(
      packed.parameters().map((each) => [...each.readSync().data]),
    );
  });
});

describe("loadStateDict of values that do not fit", () => {
  const model = () => nn.sequential(nn.linear(4, 2), nn.linear(2, 1));
  const differs = (from: nn.Module): StateDifferences => {
    const to = model();
    const before = to.stateDict();
    let differences: StateDifferences | undefined;
    try {
      to.loadStateDict(from.stateDict());
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(ArgumentError);
      ({ differences } = thrown as StateMismatchError);
    }
    expect(to.stateDict()).toEqual(before); // all of them, or none
    return differences!;
  };

  it("names what is missing and what is unexpected", () => {
    expect(differs(nn.sequential(nn.linear(4, 2), nn.relu(), nn.linear(2, 1)))).toEqual({
      missing: ["1.weight", "1.bias"],
      unexpected: ["2.weight", "2.bias"],
      shapes: [],
    });
  });

  it("names shapes and element types", () => {
    expect(differs(nn.sequential(nn.linear(4, 3), nn.linear(3, 1))).shapes).toEqual([
      { name: "0.weight", expected: "f32 [2, 4]", got: "f32 [3, 4]" },
      { name: "0.bias", expected: "f32 [2]", got: "f32 [3]" },
      { name: "1.weight", expected: "f32 [1, 2]", got: "f32 [1, 3]" },
    ]);
  });

  it("takes what both have where strict is false, but never another shape", () => {
    const to = model();
    const from = nn.sequential(nn.linear(4, 2));
    expect(to.loadStateDict(from.stateDict(), { strict: false }).missing).toEqual(["1.weight", "1.bias"]);
    expect(to.parameters()[0]!.readSync()).toEqual(from.parameters()[0]!.readSync());
    expect(() => to.loadStateDict(nn.sequential(nn.linear(5, 2)).stateDict(), { strict: false })).toThrow(
      /"0\.weight" is f32 \[2, 4\], got f32 \[2, 5\]/,
    );
  });

  it("says what it takes", () => {
    expect(() => model().loadStateDict([] as never)).toThrow(/values by name, as model\.stateDict\(\) gives them/);
    expect(() => model().loadStateDict({ "0.weight": [1] } as never)).toThrow(/"0\.weight" must be an array/);
    expect(() => model().loadStateDict({}, { strikt: true } as never)).toThrow(/"strict"/);
  });
});
