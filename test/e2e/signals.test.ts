// Ctrl-C in two stages.
import { fork } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compiled } from "../programs.js";

const child = compiled(new URL("../resume/interrupted.ts", import.meta.url));
let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "signals-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface Message {
  readonly first?: number;
  readonly interrupted?: boolean;
  readonly signal?: string;
  readonly checkpoint?: string;
}

// Sends the signals once it trains; what it said and how it ended.
function interrupted(how: "caught" | "uncaught", signals: readonly NodeJS.Signals[]) {
  return new Promise<{ code: number | null; messages: Message[]; complaint: string }>((settle) => {
    const running = fork(child, [dir, how], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const messages: Message[] = [];
    let complaint = "";
    running.stderr!.on("data", (text: Buffer) => (complaint += text.toString()));
    running.on("message", (message: Message) => {
      messages.push(message);
      if (message.first !== undefined) for (const signal of signals) running.kill(signal);
    });
    running.on("exit", (code) => settle({ code, messages, complaint }));
  });
}

describe("a run with signals: true", { timeout: 120_000 }, () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends after %s with a checkpoint, and the process with %d where nobody catches", async (signal, code) => {
    const end = await interrupted("uncaught", [signal]);
    expect(end.code).toBe(code);
    expect(end.complaint).toMatch(/InterruptedError.*came at step \d+; resume: "auto" goes on from ".*step-\d+"/);
  });

  it("tells who catches it where the checkpoint is, and goes on from there", async () => {
    const end = await interrupted("caught", ["SIGINT"]);
    const [, told] = end.messages;
    expect(end.code).toBe(0);
    expect(told).toMatchObject({ interrupted: true, signal: "SIGINT" });
    expect(existsSync(join(told!.checkpoint!, "state.json"))).toBe(true);
    const again = await interrupted("caught", ["SIGINT"]);
    expect(again.messages[0]!.first).toBe(Number(basename(told!.checkpoint!).slice(5)));
  });
});
