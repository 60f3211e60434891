// Models as files: what is loaded computes what was saved, for any batch; damage is found and named; nothing is half-written.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { artifact, array, compile, nn, ops, seed, type NdArray, type Tensor } from "../../../lib/index.js";
import { reseal, unsealed } from "./reseal.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "athanor-artifact-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bytes = (shape: number[]) =>
  array(
    Uint8Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => (i * 7919) % 256),
    shape,
  );

const run = (model: nn.ModuleLike, x: NdArray) => compile((t: Tensor) => nn.feed(model, t)).runSync(x);

function cnn() {
  seed(3);
  return nn.sequential(
    nn.conv2d(1, 4, { kernel: 3 }),
    nn.batchNorm(4),
    nn.relu(),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.linear(4 * 5 * 5, 6),
  );
}

const input = { dtype: "u8", shape: [1, 12, 12] } as const;

async function saved(name: string): Promise<string> {
  const path = join(folder, name);
  await artifact.save(cnn(), path, { input });
  return path;
}

describe("a saved model", () => {
  it("computes the same bits for every batch size, loaded without its code", async () => {
    const path = await saved("same");
    using served = await artifact.load(path);
    for (const batch of [1, 2, 5, 9]) {
      const x = bytes([batch, 1, 12, 12]);
      const expected = run(cnn(), x);
      expect((await served.predict(x)).data).toEqual(expected.data);
      expect(served.predictSync(x).shape).toEqual([batch, 6]);
    }
  });

  it("keeps a transformer with its positions and reshapes from x.shape", async () => {
    seed(5);
    const inner = nn.transformerBlock({ dim: 16, heads: 2, hidden: 32, causal: true });
    const embed = nn.embedding(20, 16);
    const positions = nn.embedding(8, 16);
    class Model extends nn.Module {
      parts = [embed, positions, inner];
      forward(x: Tensor) {
        const [batch, time] = x.shape as [number, number];
        const h = embed.forward(x).add(positions.forward(ops.arange(time))); // (B, T, 16)
        return inner.forward(h).reshape([batch, time * 16]);
      }
    }
    const model = new Model();
    const path = join(folder, "transformer");
    await artifact.save(model, path, { input: { dtype: "i32", shape: [8] } });
    using served = await artifact.load(path);
    const x = array(
      Int32Array.from({ length: 24 }, (_, i) => (i * 7) % 20),
      [3, 8],
    );
    expect(served.predictSync(x).data).toEqual(run(model, x).data);
  });

  it("carries metadata, weights by name and its size on disk", async () => {
    const path = join(folder, "meta");
    await artifact.save(cnn(), path, { input, metadata: { author: "me" } });
    using served = await artifact.load(path);
    expect(served.metadata).toEqual({ author: "me" });
    expect(served.weights.map(({ name }) => name)).toContain("0.weight");
    expect(served.readWeight("5.bias").data).toEqual(cnn().namedParameters().at(-1)!.parameter.readSync().data);
    expect(served.bytes).toBeGreaterThan(4 * served.parameters);
  });

  it("replaces an older one whole, and leaves no drafts", async () => {
    const path = await saved("twice");
    await saved("twice");
    expect((await readdir(path)).sort()).toEqual(["graph.json", "weights.safetensors"]);
    expect((await readdir(folder)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("never replaces a folder that holds anything else", async () => {
    const path = join(folder, "results");
    await mkdir(path);
    await writeFile(join(path, "summary.json"), "{}");
    await expect(artifact.save(cnn(), path, { input })).rejects.toThrow(
      /is not an artifact: it holds "summary.json", which saving would remove/,
    );
    expect(await readdir(path)).toEqual(["summary.json"]);
  });

  it("refuses a graph that is no function of the batch size", async () => {
    const odd = (x: Tensor) => (x.shape[0]! > 4 ? x.relu() : x);
    await expect(artifact.save(odd, join(folder, "odd"), { input: { dtype: "f32", shape: [3] } })).rejects.toThrow(
      /changes with the batch size/,
    );
  });

  it("needs to know its input", async () => {
    await expect(artifact.save(cnn(), join(folder, "unknown"))).rejects.toThrow(
      /its input is not known; give \{ input/,
    );
  });

  it("says which input it takes, and when it was disposed", async () => {
    const served = await artifact.load(await saved("input"));
    expect(() => served.predictSync(array(new Float32Array(144), [1, 1, 12, 12]))).toThrow(
      "predictSync: expected u8 [batch, 1, 12, 12], got f32 [1, 1, 12, 12]",
    );
    await expect(served.predict(bytes([1, 12, 12]))).rejects.toThrow("got u8 [1, 12, 12]");
    served.dispose();
    await expect(served.predict(bytes([1, 1, 12, 12]))).rejects.toThrow("disposed");
  });

  it("gives a prediction up when its signal fires", async () => {
    using served = await artifact.load(await saved("abort"));
    const call = served.predict(bytes([1, 1, 12, 12]), { signal: AbortSignal.abort(new Error("enough")) });
    await expect(call).rejects.toMatchObject({ name: "AbortError", code: "ERR_ATHANOR_ABORTED" });
  });
});

// graph.json as its damagers see it.
interface Json {
  version: number;
  inputs: { shape: number[] }[];
  nodes: { op: string; inputs?: number[]; attrs?: unknown; tensor?: string }[];
  outputs: unknown;
}

describe("a damaged artifact", () => {
  let count = 0;
  async function damaged(harm: (path: string) => Promise<void>): Promise<unknown> {
    const path = join(folder, `damaged-${count++}`);
    await cp(await saved("whole"), path, { recursive: true });
    await harm(path);
    return artifact.load(path).then(
      () => "loaded",
      (thrown: unknown) => thrown,
    );
  }
  const rewrite = (change: (json: Json) => void) =>
    damaged(async (path) => {
      const file = join(path, "graph.json");
      const json = JSON.parse(await readFile(file, "utf8")) as Json;
      change(json);
      await writeFile(file, JSON.stringify(json));
      await reseal(path);
    });

  it("is found when weights are cut short", async () => {
    const error = await damaged((path) => truncate(join(path, "weights.safetensors"), 900));
    expect(error).toMatchObject({ code: "ERR_ATHANOR_CORRUPT" });
    expect((error as Error).message).toMatch(/^artifact.load: ".*weights.safetensors" is damaged: /);
  });

  it("is found when a file is missing", async () => {
    expect(await damaged((path) => rm(join(path, "graph.json")))).toMatchObject({ code: "ERR_ATHANOR_IO" });
    expect(await damaged((path) => rm(join(path, "weights.safetensors")))).toMatchObject({ code: "ERR_ATHANOR_IO" });
  });

  it.each([
    ["no JSON", (path: string) => writeFile(join(path, "graph.json"), "{"), /is not valid JSON/],
    ["another format", (path: string) => writeFile(join(path, "graph.json"), "{}"), /does not say "format"/],
  ])("is found: %s", async (_, harm, message) => {
    const error = await damaged(harm);
    expect(error).toMatchObject({ code: "ERR_ATHANOR_CORRUPT" });
    expect((error as Error).message).toMatch(message);
  });

  it.each<[string, (json: Json) => void, RegExp]>([
    ["an unknown operation", (json) => (json.nodes[3]!.op = "exec"), /operation "exec", which an artifact cannot hold/],
    ["an effect", (json) => (json.nodes[3]!.op = "assign"), /operation "assign", which an artifact cannot hold/],
    ["a value from the future", (json) => (json.nodes[2]!.inputs = [9999]), /reads a value that is made after it/],
    ["a shape that does not fit", (json) => (json.inputs[0]!.shape = [3, 12, 12]), /is damaged: node \d+ \(conv2d\): /],
    [
      "a missing weight",
      (json) => (json.nodes.find(({ tensor }) => tensor)!.tensor = "nobody"),
      /tensor "nobody".*is missing/,
    ],
    ["a huge input", (json) => (json.inputs[0]!.shape = [1, 2 ** 40, 2 ** 40]), /is damaged|too/],
    [
      "attributes of a strange kind",
      (json) => (json.nodes.at(-1)!.attrs = { a: { b: "c" } }),
      /attributes of a strange kind/,
    ],
    ["outputs that are no values", (json) => (json.outputs = [{ name: "y", value: 100000 }]), /an output is no value/],
  ])("is found: %s", async (_, change, message) => {
    const error = await rewrite(change);
    expect(error).toBeInstanceOf(Error);
    expect((error as { code?: string }).code).toMatch(/^ERR_ATHANOR_(CORRUPT|SHAPE|MEMORY)$/);
    expect((error as Error).message).toMatch(message);
  });

  it("of a later version says so", async () => {
    const error = await rewrite((json) => (json.version = 99));
    expect(error).toMatchObject({ code: "ERR_ATHANOR_UNSUPPORTED" });
  });

  it("never crashes, whatever byte of the graph is changed", async () => {
    const path = await saved("fuzz");
    await unsealed(path); // of version 1: no checksum finds it first
    const file = join(path, "graph.json");
    const text = await readFile(file);
    let random = 12345;
    const next = (below: number) => (random = (random * 1103515245 + 12345) & 0x7fffffff) % below;
    for (let i = 0; i < 200; i++) {
      const copy = Buffer.from(text);
      for (let k = 0; k <= next(3); k++) copy[next(copy.length)] = 32 + next(95);
      await writeFile(file, copy);
      const code = await artifact.load(path).then(
        (served) => (served.dispose(), "ERR_ATHANOR_NONE"),
        (thrown: unknown) => (thrown as { code?: string }).code,
      );
      expect(code).toMatch(/^ERR_ATHANOR_/);
    }
  });
});
