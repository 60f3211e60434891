// A job whose ranks are killed at random ends with the bits of one that nothing befell.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { supervise } from "../../lib/parallel/supervise.js";
import { mpis } from "./launch.js";
import { compiled } from "../programs.js";

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "supervise-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const steps = 1500;
const program = (into: string): string[] => {
  const path = compiled(new URL("rank-resume.ts", import.meta.url));
  return [process.execPath, path, into, String(steps)];
};

interface Result {
  readonly weights: string;
  readonly resumed?: number;
}
const resultOf = (into: string): Result => JSON.parse(readFileSync(join(into, "result.json"), "utf8")) as Result;

describe.skipIf(mpis.length === 0)("a supervised job", () => {
  it.each(mpis)("goes on after kills, to the same bits: $name", { timeout: 300_000 }, async ({ name: mpi }) => {
    const whole = mkdtempSync(join(folder, "whole-"));
    expect(await supervise({ program: program(whole), ranks: 2, mpi, restarts: 0 })).toBe(0);

    const killed = mkdtempSync(join(folder, "killed-"));
    let kills = 0;
    const known = new Set<string>();
    // One kill a start: a random rank, a moment after its training is under way.
    const killer = setInterval(() => {
      for (const file of readdirSync(killed).filter((file) => /^pid-\d+-\d+$/.test(file))) {
        const start = file.split("-")[1]!;
        if (kills >= 3 || known.has(start) || file !== `pid-${start}-${Number(start) % 2}`) continue;
        const text = readFileSync(join(killed, file), "utf8");
        if (!/^\d+\n$/.test(text)) continue; // half written
        const pid = Number(text);
        known.add(start);
        kills += 1;
        setTimeout(() => {
          try {
            process.kill(pid, "SIGKILL");
          } catch {
            kills -= 1; // it had come to its end
          }
        }, 20 * kills);
      }
    }, 5);
    try {
      const restarts = await supervise({ program: program(killed), ranks: 2, mpi, restarts: 5, pause: 10 });
      expect(restarts).toBeGreaterThanOrEqual(1);
      expect(restarts).toBe(kills);
    } finally {
      clearInterval(killer);
    }
    expect(resultOf(killed).weights).toBe(resultOf(whole).weights);
    expect(resultOf(killed).resumed).toBeGreaterThan(0);
    expect(existsSync(join(killed, "checkpoints"))).toBe(true);
  });

  it("ends with a sentence when it may not be started again", { timeout: 60_000 }, async () => {
    const job = { program: [process.execPath, "-e", "process.exit(3)"], ranks: 2, restarts: 1, pause: 1 };
    await expect(supervise(job)).rejects.toThrow(/the job of 2 ranks ended with exit code 3 for the 2\. time/);
  });
});
