// Masks in artifacts: they come back as they were saved, hold in training, and what was altered is found and named.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  artifact,
  array,
  compile,
  data,
  loss,
  nn,
  optim,
  prune,
  seed,
  train,
  type Tensor,
} from "../../../lib/index.js";
import { Parameter } from "../../../lib/tensor/parameter.js";
import { reseal } from "./reseal.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "athanor-masks-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const input = { dtype: "f32", shape: [1, 6, 6] } as const;
const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 1.7));
const samples = data.fromArrays({
  x: array(numbers(40 * 36), [40, 1, 6, 6]),
  y: array(Uint8Array.from({ length: 40 }, (_, i) => i % 3), [40]),
}); // prettier-ignore

async function masked() {
  seed(3);
  const model = nn.sequential(nn.conv2d(1, 3, { kernel: 3 }), nn.relu(), nn.flatten(), nn.linear(48, 3)); // 27 and 144 weights
  await prune.mask(model, { amount: { "0.weight": 0.5, "3.weight": 0.8 } });
  return model;
}

async function saved(name: string): Promise<string> {
  const path = join(folder, name);
  await artifact.save(await masked(), path, { input });
  return path;
}

const fit = (model: nn.Module) =>
  train.fit(model, samples, {
    loss: loss.crossEntropy(),
    optimizer: optim.adamW({ lr: 1e-2, weightDecay: 0.01 }),
    batchSize: 8,
    epochs: 3,
    seed: 5,
    progress: false,
  });

/** Byte by byte what the safetensors format says: the length of the header, the header, the tensors. */
async function openWeights(path: string) {
  const file = join(path, "weights.safetensors");
  const bytes = await readFile(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const header = JSON.parse(bytes.toString("utf8", 8, start)) as Header;
  const tensor = (name: string) => {
    const [from, to] = header[name]!.data_offsets;
    return bytes.subarray(start + from, start + to);
  };
  return { header, tensor, write: () => writeFile(file, bytes).then(() => reseal(path)) };
}

interface Graph {
  nodes: { tensor?: string; mask?: { tensor: string; kept: number } | string }[];
}

async function changeGraph(path: string, change: (node: Graph["nodes"][number]) => void): Promise<void> {
  const file = join(path, "graph.json");
  const graph = JSON.parse(await readFile(file, "utf8")) as Graph;
  change(graph.nodes.find(({ tensor }) => tensor === "0.weight")!);
  await writeFile(file, JSON.stringify(graph));
  await reseal(path);
}

describe("a masked model in an artifact", () => {
  it("predicts what it did", async () => {
    const model = await masked();
    const path = await saved("predicts");
    using served = await artifact.load(path);
    const expected = compile((x: Tensor) => nn.call(model, x)).runSync(samples.x);
    expect(served.predictSync(samples.x).data).toEqual(expected.data);
    expect(served.weights.map(({ name }) => name)).toEqual(["0.weight", "0.bias", "3.weight", "3.bias"]);
  });

  it("is loaded with its masks, and trained on it comes to the same bits", async () => {
    const model = await masked();
    const loaded = await artifact.loadModel(await saved("trains"));
    const masks = model.namedParameters().map(({ parameter }) => parameter.readMask());
    expect(loaded.namedParameters().map(({ parameter }) => parameter.readMask())).toEqual(masks);
    expect(masks.map((mask) => mask?.reduce((a, b) => a + b))).toEqual([13, undefined, 29, undefined]);
    await Promise.all([fit(model), fit(loaded)]);
    loaded.namedParameters().forEach(({ parameter }, i) => {
      const values = parameter.readSync().data;
      expect(values).toEqual(model.namedParameters()[i]!.parameter.readSync().data);
      masks[i]?.forEach((kept, at) => expect(values[at] !== 0).toBe(kept === 1));
    });
  });

  it("can be saved again, pruned further and packed", async () => {
    const first = await artifact.loadModel(await saved("again"));
    await artifact.save(first, join(folder, "again2"));
    const second = await artifact.loadModel(join(folder, "again2"));
    const before = second.namedParameters().map(({ parameter }) => parameter.readMask());
    await prune.mask(second, { amount: { "3.weight": 0.9 } });
    const after = second.namedParameters().map(({ parameter }) => parameter.readMask());
    expect(after[0]).toEqual(before[0]);
    expect(after[2]!.every((kept, i) => kept <= before[2]![i]!)).toBe(true);
    const packed = await prune.pack(second);
    expect(packed.namedWeights().map(({ parameter }) => parameter.parametrization?.kind)).toContain("sparse");
  });

  it("has bitmaps that anyone can read", async () => {
    const { header, tensor } = await openWeights(await saved("bitmap"));
    expect(header["0.weight.mask"]).toMatchObject({ dtype: "U8", shape: [4] });
    expect(header["3.weight.mask"]).toMatchObject({ dtype: "U8", shape: [18] });
    for (const { name, parameter } of (await masked()).namedWeights()) {
      const mask = parameter.readMask();
      const bitmap = mask && tensor(`${name}.mask`);
      mask?.forEach((kept, i) => expect((bitmap![i >> 3]! >> (i & 7)) & 1).toBe(kept));
    }
  });

  it("may be a plain function of parameters that have no name", async () => {
    const [w, v] = [4, 4].map((n) => new Parameter([n], { fill: nn.init.ones() }));
    v!.setMask(Uint8Array.of(1, 0, 0, 1));
    const path = join(folder, "function");
    await artifact.save((x: Tensor) => x.mul(w!).add(v!), path, { input: { dtype: "f32", shape: [4] } });
    const loaded = await artifact.loadModel(path);
    expect(loaded.parameters().map((parameter) => parameter.readMask())).toEqual([
      undefined,
      Uint8Array.of(1, 0, 0, 1),
    ]);
  });

  it("of a version that did not keep masks is loaded without them", async () => {
    const path = await saved("older");
    await changeGraph(path, (node) => delete node.mask);
    const [first] = (await artifact.loadModel(path)).namedParameters();
    expect(first!.parameter.mask).toBeUndefined();
  });
});

describe("a masked parameter that is written to", () => {
  it("stays zero where its mask hides it", () => {
    const parameter = new Parameter([3]);
    parameter.setMask(Uint8Array.of(1, 0, 1));
    parameter.write(array(Float32Array.of(1, 2, 3), [3]));
    expect([...parameter.readSync().data]).toEqual([1, 0, 3]);
  });
});

describe("an altered mask", () => {
  const flip = (bits: readonly number[]) => async (path: string) => {
    const { tensor, write } = await openWeights(path);
    const bitmap = tensor("0.weight.mask");
    for (const bit of bits) bitmap[bit >> 3]! ^= 1 << (bit & 7);
    await write();
  };
  const graph = (change: Parameters<typeof changeGraph>[1]) => (path: string) => changeGraph(path, change);

  it.each<[string, (path: string) => Promise<void>, RegExp]>([
    ["a bit", flip([5]), /the mask "0.weight.mask" keeps 1[24] elements, the graph says 13/],
    ["a bit behind the last one", flip([30]), /keeps 14 elements, the graph says 13/],
    ["all bits", flip(Array.from({ length: 27 }, (_, i) => i)), /keeps 14 elements, the graph says 13/],
    [
      "another tensor",
      graph((node) => (node.mask = { tensor: "3.weight.mask", kept: 13 })),
      /is u8 \[18\], expected u8 \[4\] for 27/,
    ],
    ["no tensor", graph((node) => (node.mask = { tensor: "nobody", kept: 13 })), /the mask "nobody" is missing/],
    ["what is none", graph((node) => (node.mask = "0.weight.mask")), /node \d+ has a mask that is none/],
  ])("is found: %s", async (name, harm, message) => {
    const path = await saved(name.replaceAll(" ", "-"));
    await harm(path);
    for (const load of [artifact.load, artifact.loadModel] as ((path: string) => Promise<unknown>)[]) {
      await expect(load(path)).rejects.toMatchObject({
        code: "ERR_ATHANOR_CORRUPT",
        message: expect.stringMatching(message) as string,
      });
    }
  });

  it("is found when it keeps as many elements, but others", async () => {
    const path = await saved("others");
    const mask = (await masked()).namedWeights()[0]!.parameter.readMask()!;
    await flip([mask.indexOf(0), mask.indexOf(1)])(path);
    await expect(artifact.load(path)).rejects.toThrow(/the mask "0.weight.mask" hides 1 elements that are not zero/);
  });
});
