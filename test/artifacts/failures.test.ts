// A save whose calls fail, or that is killed: `npm run test:failures` tries every call in every way.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { artifact, array, nn } from "../../lib/index.js";
import { canTrace } from "../resume/system-calls.js";
import { everyFailure } from "./failures.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-failures-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!canTrace())("a save", () => {
  it.each([
    ["ENOSPC", false, 2],
    ["ENOSPC", true, 5],
    ["kill", false, 12],
    ["kill", true, 25],
  ] as const)(
    "that meets %s at any call (inside: %s) leaves the old or the new artifact",
    { timeout: 240_000 },
    async (how, inside, stride) => {
      const own = join(folder, `${how}-${inside}`);
      mkdirSync(own);
      const result = await everyFailure({ folder: own, how, inside, stride });
      expect(result.wrong).toEqual([]);
      expect(result.calls).toBeGreaterThan(30);
      expect(how === "kill" ? result.killed : result.failed).toBeGreaterThan(1);
    },
  );
});

const disk = join(folder, "disk");
function mounted(): boolean {
  try {
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!mounted())("a disk that is full", () => {
  afterAll(() => void execFileSync("umount", [disk]));
  const input = { dtype: "f32", shape: [64] } as const;
  const model = nn.linear(64, 64, { bias: false }); // 16 KiB
  const save = (version: number) => {
    model.weight.write(array(new Float32Array(64 * 64).fill(version), [64, 64]));
    return artifact.save(model, join(disk, "model"), { input, metadata: { version: String(version) } });
  };
  beforeAll(() => save(1));

  it("refuses in a sentence and keeps the old artifact, whatever is left of it", async () => {
    let [refused, saved, version] = [0, 0, 1];
    for (let free = 0; free <= 48; free += 4) {
      const filler = join(disk, "filler");
      writeFileSync(filler, Buffer.alloc(0));
      for (let size = 256; size > 0; size--) {
        try {
          writeFileSync(filler, Buffer.alloc(1024 * size));
          break;
        } catch {
          rmSync(filler);
        }
      }
      truncateSync(filler, Math.max(0, statSync(filler).size - 1024 * free));
      const thrown = await save(version + 1).catch((error: unknown) => error);
      if (thrown === undefined) {
        saved++;
        version++;
      } else {
        refused++;
        expect(thrown).toMatchObject({
          code: "ERR_ATHANOR_IO",
          message: expect.stringMatching(/could not be written: cannot .* \(No space left on device\)/) as string,
        });
      }
      using served = await artifact.load(join(disk, "model"));
      expect(served.metadata.version).toBe(String(version));
      expect(served.readWeight(served.weights[0]!.name).data).toEqual(new Float32Array(64 * 64).fill(version));
      expect(readdirSync(disk).sort()).toEqual(["filler", "model"]);
    }
    expect(refused).toBeGreaterThan(3);
    expect(saved).toBeGreaterThan(3);
  });
});
