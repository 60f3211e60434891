// Loads while others save and are killed: `npm run test:kill` does it 200,000 times.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { hammer } from "./hammer.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-kill-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("an artifact that is loaded while others save it and are killed", () => {
  it("is always one whole version, and no draft stays", { timeout: 240_000 }, async () => {
    const result = await hammer({ folder, loaders: 2, loads: 3000, savers: 2, seed: 7 });
    expect(result).toMatchObject({ loads: 3000, mixtures: 0, errors: {}, beside: ["model"] });
    expect(result.files).toEqual(["graph.json", "weights.safetensors"]);
    expect(result.versions).toBeGreaterThan(10);
    expect(result.kills).toBeGreaterThan(1);
  });
});
