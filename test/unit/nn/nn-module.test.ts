// Modules: how parameters are found and named, freezing, disposal, labels in errors and graphs.
import { describe, expect, it } from "vitest";
import { ArgumentError, DisposedError } from "../../../lib/errors.js";
import * as nn from "../../../lib/nn/index.js";
import { array, compile, Parameter, seed, type Tensor } from "../../../lib/tensor/index.js";

const namesOf = (module: nn.Module) => module.namedParameters().map(({ name }) => name);
const count = (n: number) => array(Float32Array.from({ length: n }, (_, i) => i));

class Model extends nn.Module {
  token = nn.embedding(7, 4);
  blocks = [nn.transformerBlock({ dim: 4, heads: 2, causal: true }), nn.residual(nn.linear(4, 4))];
  tables = { scale: new Parameter([4]), tied: this.token.weight };
  head = nn.linear(4, 7, { bias: false });

  forward(x: Tensor): Tensor {
    const y = this.blocks.reduce((y, block) => block.forward(y), this.token.forward(x));
    return this.head.forward(y.mul(this.tables.scale));
  }
}

describe("parameters of a module", () => {
  it("are named by number in a sequence", () => {
    const model = nn.sequential(
      nn.conv2d(1, 2, { kernel: 3 }),
      nn.batchNorm(2),
      nn.relu(),
      nn.flatten(),
      nn.linear(8, 2),
    );
    expect(namesOf(model)).toEqual([
      "0.weight", "0.bias", "1.weight", "1.bias", "1.runningMean", "1.runningVar", "4.weight", "4.bias",
    ]); // prettier-ignore
    expect(model.size).toBe(2 * 9 + 2 + 2 + 2 + 16 + 2);
  });

  it("are found in properties, lists and records, in the order of definition, shared ones once", () => {
    const block = ["norm1", "attention.qkv", "attention.out", "norm2", "up", "down"];
    expect(namesOf(new Model())).toEqual([
      "token.weight",
      ...block.flatMap((name) => [`blocks.0.${name}.weight`, `blocks.0.${name}.bias`]),
      "blocks.1.inner.weight",
      "blocks.1.inner.bias",
      "tables.scale",
      "head.weight",
    ]);
  });

  it("get their names when asked to, or when first traced, but never lose one", async () => {
    const model = nn.sequential(nn.linear(2, 2), nn.linear(2, 1)).assignNames();
    expect(model.parameters().map(({ name }) => name)).toEqual(["0.weight", "0.bias", "1.weight", "1.bias"]);
    const fresh = nn.linear(2, 1);
    await compile((x: Tensor) => fresh.forward(x)).run(array([1, 2], [1, 2]));
    expect(fresh.weight.name).toBe("weight");
    const part = model.layers[1] as nn.Linear;
    await compile((x: Tensor) => part.forward(x)).run(array([1, 2], [1, 2]));
    expect(part.weight.name).toBe("1.weight");
  });

  it("survive a module that holds the one around it", () => {
    class Child extends nn.Module {
      weight = new Parameter([1]);
      parent: nn.Module | undefined;
      forward(x: Tensor) {
        return x.mul(this.weight);
      }
    }
    const child = new Child();
    const parent = nn.sequential(child);
    child.parent = parent;
    expect(namesOf(parent)).toEqual(["0.weight"]);
    expect(parent.namedModules().map(({ name }) => name)).toEqual(["", "0"]);
  });

  it("modules are listed with the outer ones first", () => {
    const model = nn.sequential(nn.linear(2, 2), nn.residual(nn.linear(2, 2), nn.relu()));
    const kinds = model.namedModules().map(({ name, module }) => `${name}:${module.kind}`);
    expect(kinds).toEqual([
      ":sequential", "0:linear", "1:residual", "1.inner:sequential", "1.inner.0:linear", "1.inner.1:relu",
    ]); // prettier-ignore
    expect(String(model)).toBe("sequential(linear(2 → 2), residual(sequential(linear(2 → 2), relu())))");
  });
});

describe("freezing", () => {
  const make = () => nn.sequential(nn.linear(3, 2), nn.batchNorm(2), nn.linear(2, 1));
  const trainable = (model: nn.Module) =>
    model.namedParameters().flatMap(({ name, parameter }) => (parameter.trainable ? [name] : []));

  it("takes all, a layer, a pattern or a choice", () => {
    expect(trainable(make().freeze())).toEqual([]);
    expect(trainable(make().freeze("0"))).toEqual(["1.weight", "1.bias", "2.weight", "2.bias"]);
    expect(trainable(make().freeze("0.weight").freeze(/^[12]/))).toEqual(["0.bias"]);
    expect(trainable(make().freeze((_, p) => p.shape.length === 2))).toEqual([
      "0.bias",
      "1.weight",
      "1.bias",
      "2.bias",
    ]);
  });

  it("never trains running statistics", () => {
    const all = ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"];
    expect(trainable(make())).toEqual(all);
    expect(trainable(make().freeze().unfreeze())).toEqual(all);
  });

  it("says what there is when nothing matches", () => {
    expect(() => make().freeze("head")).toThrow(
      'freeze: match names no parameter "head"; there are "0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"',
    );
    expect(() => make().unfreeze(/nothing/)).toThrow(ArgumentError);
  });
});

describe("a traced module", () => {
  it("names the layer in errors, in sequences and in modules of the user", async () => {
    const model = nn.sequential(nn.flatten(), nn.linear(784, 10));
    const f = compile((x: Tensor) => model.forward(x));
    await expect(f.run(array(new Float32Array(783), [1, 783]))).rejects.toThrow(
      'linear: input has 783 features in its last dimension, expected 784; write nn.linear(783, 10), or feed what has 784 features (layer "1")',
    );
    const own = new Model();
    (own.blocks[0] as nn.TransformerBlock).attention.out = nn.linear(5, 4);
    const g = compile((x: Tensor) => own.forward(x));
    await expect(g.run(array(Int32Array.of(1, 2), [1, 2]))).rejects.toThrow(
      'linear: input has 4 features in its last dimension, expected 5; write nn.linear(4, 4), or feed what has 5 features (layer "blocks.0.attention.out")',
    );
    const plain = nn.sequential(nn.relu(), (x) => x.reshape([3]));
    await expect(compile((x: Tensor) => plain.forward(x)).run(array([1, 2]))).rejects.toThrow(/\(layer "1"\)$/);
  });

  it("labels the nodes of the graph by layer", () => {
    const own = new Model();
    const dot = compile((x: Tensor) => own.forward(x)).dot(array(Int32Array.of(1, 2), [1, 2]));
    expect(dot).toContain("attention_packed");
    expect(dot).toContain("blocks.0.attention.qkv");
    expect(dot).toContain('parameter \\"tables.scale\\"');
  });

  it("wants a tensor", () => {
    expect(() => nn.linear(2, 2).forward(array([1, 2], [1, 2]) as never)).toThrow(
      "linear: the input must be a Tensor, got an NdArray f32 [1, 2]; wrap the call in compile((x) => …) and run that with an array",
    );
  });

  it("may be a plain function, and nothing else", async () => {
    const f = compile((x: Tensor) => nn.call((x) => x.mul(2), nn.call(nn.relu(), x)));
    expect((await f.run(array([-1, 2]))).toArray()).toEqual([0, 4]);
    expect(() => nn.sequential(nn.relu(), 3 as never)).toThrow(
      "sequential: layer 1: expected a module or a function of a tensor, got 3",
    );
    expect(() => nn.residual()).toThrow("residual: expected a module, got none");
  });

  it("adds its input back in a residual, and only if it can", async () => {
    const f = compile((x: Tensor) => nn.residual((x) => x.square()).forward(x));
    expect((await f.run(array([1, 2, 3]))).toArray()).toEqual([2, 6, 12]);
    const g = compile((x: Tensor) => nn.residual(nn.linear(2, 3)).forward(x));
    await expect(g.run(array([1, 2], [1, 2]))).rejects.toThrow(
      "residual: the inner module turns [1, 2] into [1, 3], expected the same shape to add",
    );
  });
});

describe("life of a module", () => {
  it("the same seed and order give the same weights", () => {
    const weights = () =>
      nn
        .sequential(nn.linear(5, 4), nn.linear(4, 3))
        .parameters()
        .map((p) => [...p.readSync().data]);
    seed(3);
    const first = weights();
    seed(3);
    expect(weights()).toEqual(first);
    seed(4);
    expect(weights()).not.toEqual(first);
    expect(first[0]!.slice(0, 3)).not.toEqual(first[2]!.slice(0, 3));
  });

  it("is over when disposed", async () => {
    const layer = nn.linear(2, 2);
    const f = compile((x: Tensor) => layer.forward(x));
    layer.dispose();
    await expect(f.run(array([1, 2], [1, 2]))).rejects.toThrow(DisposedError);
    {
      using held = nn.linear(2, 2);
      expect(held.weight.readSync().size).toBe(4);
    }
  });

  it("weights that are written are the ones that run", async () => {
    const layer = nn.linear(2, 1);
    const f = compile((x: Tensor) => layer.forward(x));
    layer.weight.write(array([2, 3], [1, 2]));
    layer.bias!.write(array([10]));
    expect((await f.run(array([1, 1], [1, 2]))).item()).toBe(15);
    layer.bias!.write(array([20]));
    expect((await f.run(array([1, 1], [1, 2]))).item()).toBe(25);
    expect((await f.run(count(2))).toArray()).toEqual([23]);
  });
});
