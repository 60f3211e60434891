// The main job, ended by Ctrl-C in the middle of a training and begun again.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "digits-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const main = fileURLToPath(new URL("../../examples/digits/main.ts", import.meta.url));
const runFile = join(folder, "runs", "mlp", "run.json");

interface RunState {
  readonly status: string;
  readonly resumed: readonly { readonly step: number }[];
}
const state = (): RunState | undefined =>
  existsSync(runFile) ? (JSON.parse(readFileSync(runFile, "utf8")) as RunState) : undefined;

// Interrupts once the first training goes on as asked for; how it ended and what it said.
function interrupted(more: readonly string[], isDue: (now: RunState) => boolean) {
  return new Promise<{ code: number | null; said: string }>((settle) => {
    const args = ["--import", "tsx", main, "--quiet", "--epochs", "50", "--out", join(folder, "out"), "--checkpoint", join(folder, "runs"), ...more]; // prettier-ignore
    const running = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    running.stderr.on("data", (text: Buffer) => (said += text.toString()));
    const timer = setInterval(() => {
      const now = state();
      if (now?.status !== "running" || !isDue(now)) return;
      clearInterval(timer);
      setTimeout(() => running.kill("SIGINT"), 200);
    }, 50);
    running.on("exit", (code) => {
      clearInterval(timer);
      settle({ code, said });
    });
  });
}

describe("the main job", { timeout: 240_000 }, () => {
  it("says in one sentence that it was interrupted, and goes on from there when it is begun again", async () => {
    const first = await interrupted([], () => true);
    expect(first.code).toBe(130);
    expect(first.said.trim().split("\n")).toHaveLength(1);
    expect(first.said).toMatch(/^digits: SIGINT .*--resume auto goes on from ".*step-\d+"/);
    expect(state()!.status).toBe("interrupted");
    const again = await interrupted(["--resume", "auto"], ({ resumed }) => resumed.length === 1);
    expect(again.code).toBe(130);
    const from = Number(/step-0*(\d+)"/.exec(first.said)![1]);
    expect(state()!.resumed.map(({ step }) => step)).toEqual([from]);
  });
});
