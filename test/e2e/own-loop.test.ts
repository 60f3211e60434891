// examples/own-loop.ts keeps a loop over train.step alive in five lines: killed again and again, it ends with the same losses and weights.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { compiled } from "../programs.js";

const source = new URL("../../examples/own-loop.ts", import.meta.url);
const example = compiled(source);
const folder = mkdtempSync(join(tmpdir(), "own-loop-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// What the program says until it ends, or until it has said `until` and is killed.
function said(dir: string, until?: string): Promise<{ lines: string[]; signal: string | null }> {
  return new Promise((settle, fail) => {
    const running = spawn(process.execPath, [example, join(folder, dir)], { stdio: ["ignore", "pipe", "inherit"] }); // prettier-ignore
    let text = "";
    running.stdout.on("data", (more: Buffer) => {
      text += more.toString();
      if (until !== undefined && text.includes(until)) running.kill("SIGKILL");
    });
    running.on("error", fail);
    running.on("exit", (_, signal) => settle({ lines: text.trim().split("\n"), signal }));
  });
}

it("ends with the losses and weights of a loop that was left alone", { timeout: 300_000 }, async () => {
  const whole = await said("whole");
  expect(whole.lines).toHaveLength(9);
  for (const [i, until] of ["step 50", "step 150", "step 300"].entries()) {
    const { lines, signal } = await said("killed", until);
    if (signal !== "SIGKILL") break; // it was faster than the kill
    expect(lines.some((line) => line.startsWith(until))).toBe(true);
    if (i === 2) expect(lines[0]).not.toMatch(/^step (?:50|100):/); // it went on: the checkpoint of step 120 at least was there
  }
  const { lines, signal } = await said("killed");
  expect(signal).toBe(null);
  expect(lines).toEqual(whole.lines.slice(-lines.length));
  expect(lines.at(-1)).toMatch(/^400 steps, weights [0-9a-f]{16}$/);
  expect(readdirSync(join(folder, "killed"))).toEqual(readdirSync(join(folder, "whole")));
});

it("takes five lines", () => {
  const numbered = [...readFileSync(source, "utf8").matchAll(/;.* \/\/ (\d)/g)].map(([, number]) => Number(number));
  expect(numbered).toEqual([1, 2, 3, 4, 5]);
});
