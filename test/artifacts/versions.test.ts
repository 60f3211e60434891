// version-1/ was written by Athanor at commit 0fc0a8f, before artifacts had checksums: a layer of weights [[1, 2], [3, 4], [0, 6]], the
// 0 masked, and bias [0.5, -0.5, 0].
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { artifact, array } from "../../lib/index.js";

let path: string;
beforeAll(async () => {
  path = join(await mkdtemp(join(tmpdir(), "athanor-version-1-")), "model");
  await cp(fileURLToPath(new URL("version-1", import.meta.url)), path, { recursive: true });
});
afterAll(() => rm(join(path, ".."), { recursive: true, force: true }));

const x = array(Float32Array.of(1, 1, 2, -1), [2, 2]);
const y = [3.5, 6.5, 6, 0.5, 1.5, -6];

describe("an artifact of version 1", () => {
  it("loads as it did", async () => {
    using served = await artifact.load(path);
    expect([...served.predictSync(x).data]).toEqual(y);
    expect(served.metadata).toEqual({ author: "me" });
    const [weight] = (await artifact.loadModel(path)).parameters();
    expect([...weight!.readMask()!]).toEqual([1, 1, 1, 1, 0, 1]);
  });

  it("is replaced by one with checksums when it is saved again", async () => {
    const model = await artifact.loadModel(path);
    await artifact.save(model, path);
    const graph = JSON.parse(await readFile(join(path, "graph.json"), "utf8")) as Record<string, unknown>;
    expect(graph).toMatchObject({ version: 2, checksum: expect.stringMatching(/^[0-9a-f]{16}$/) as string });
    using served = await artifact.load(path);
    expect([...served.predictSync(x).data]).toEqual(y);
  });
});
