// Loads while others save and are killed: `npm run test:kill` does it 200,000 times.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { hammer } from "./hammer.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-kill-"));
const mountPoint = join(folder, "inside", "model");
function mounted(): boolean {
  try {
    mkdirSync(mountPoint, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", mountPoint], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
const canMount = mounted();
afterAll(() => {
  if (canMount) execFileSync("umount", [mountPoint]);
  rmSync(folder, { recursive: true, force: true });
});

describe("an artifact that is loaded while others save it and are killed", () => {
  it("is always one whole version, and no draft stays", { timeout: 240_000 }, async () => {
    const result = await hammer({ folder: join(folder, "beside"), loaders: 2, loads: 3000, savers: 2, seed: 7 });
    expect(result).toMatchObject({ loads: 3000, mixtures: 0, beside: ["model"] });
    expect(result.errors).toEqual({});
    expect(result.files).toEqual(["graph.json", "weights.safetensors"]);
    expect(result.versions).toBeGreaterThan(10);
    expect(result.kills).toBeGreaterThan(1);
  });

  // A mount point cannot be swapped with another folder: the files are written into it.
  it.skipIf(!canMount)("also where folders cannot be swapped", { timeout: 240_000 }, async () => {
    const own = join(folder, "inside");
    const result = await hammer({ folder: own, loaders: 2, loads: 2000, savers: 2, seed: 9 });
    expect(result).toMatchObject({ loads: 2000, mixtures: 0, beside: ["model"] });
    expect(result.errors).toEqual({});
    expect(result.files).toEqual(["graph.json", expect.stringMatching(/^weights-[0-9a-f]{16}\.safetensors$/)]);
    expect(result.versions).toBeGreaterThan(10);
  });
});
