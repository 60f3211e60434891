// The main job, ended by Ctrl-C or killed in the middle of its trainings and begun again: it ends with the table of one that was left
// alone. The short form ends three of the six trainings, one way or the other; ATHANOR_TEST_MATRIX=full ends each of them in both ways.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "digits-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const main = fileURLToPath(new URL("../../examples/digits/main.ts", import.meta.url));
const runs = join(folder, "runs");
const kept = ["--checkpoint", runs, "--resume", "auto"];

type Signal = "SIGINT" | "SIGKILL";
const short: readonly (readonly [string, Signal])[] = [["mlp", "SIGINT"], ["pruned", "SIGKILL"], ["student", "SIGINT"]]; // prettier-ignore
const names = ["mlp", "cnn", "pruned", "shrunk", "student", "student-alone"];
const full = (["SIGINT", "SIGKILL"] as const).map((signal) => names.map((name) => [name, signal] as const));
const passes = process.env.ATHANOR_TEST_MATRIX === "full" ? full : [short];

interface RunFile {
  readonly status: string;
  readonly resumed: readonly { readonly step: number }[];
}
const runFile = (name: string): RunFile | undefined => {
  const path = join(runs, name, "run.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as RunFile) : undefined;
};

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly said: string;
}

// Runs the job; `watch` is called again and again meanwhile, until it gives a signal to send.
function job(out: string, more: readonly string[], watch: () => Signal | undefined = () => undefined): Promise<Ended> {
  return new Promise((settle) => {
    const size = ["--samples", "1280", "--epochs", "3", "--untimed", "--quiet", "--out", join(folder, out)];
    const running = spawn(process.execPath, ["--import", "tsx", main, ...size, ...more], { stdio: ["ignore", "ignore", "pipe"] }); // prettier-ignore
    let said = "";
    running.stderr.on("data", (text: Buffer) => (said += text.toString()));
    const timer = setInterval(() => {
      const signal = watch();
      if (signal === undefined) return;
      clearInterval(timer);
      running.kill(signal);
    }, 5);
    running.on("exit", (code, signal) => {
      clearInterval(timer);
      settle({ code, signal, said });
    });
  });
}

/** The table without its times. */
function table(out: string): unknown {
  const { models } = JSON.parse(readFileSync(join(folder, out, "summary.json"), "utf8")) as { models: object[] };
  return models.map((model) => ({ ...model, seconds: 0 }));
}

beforeAll(async () => expect(await job("whole", [])).toMatchObject({ code: 0, said: "" }), 300_000);

describe.each(passes.map((ends) => ({ ends })))("the main job", { timeout: 600_000 }, ({ ends }) => {
  beforeAll(() => rmSync(runs, { recursive: true, force: true }));

  it.each(ends)("goes on in the middle of %s, where %s ended it", async (name, signal) => {
    for (;;) {
      rmSync(join(runs, name), { recursive: true, force: true });
      const steps = () => readdirSync(join(runs, name)).filter((each) => each.startsWith("step-"));
      const isDue = () => runFile(name)?.status === "running" && steps().length > 0;
      const ended = await job("again", kept, () => (isDue() ? signal : undefined));
      if (runFile(name)!.status === "done") continue; // the signal came too late
      if (signal === "SIGINT") {
        expect(ended.code).toBe(130);
        expect(ended.said.trim().split("\n")).toHaveLength(1);
        expect(ended.said).toMatch(/^digits: SIGINT .*--resume auto goes on from ".*step-\d+"/);
        expect(runFile(name)!.status).toBe("interrupted");
      } else expect(ended.signal).toBe("SIGKILL");
      expect(steps()).not.toContain("step-000000030"); // the last of this training
      return;
    }
  });

  it("ends with the table of a job that was left alone", async () => {
    expect(await job("again", kept)).toMatchObject({ code: 0, said: "" });
    for (const [name] of ends) {
      const from = runFile(name)!.resumed.map(({ step }) => step);
      expect(from.some((step) => step > 0 && step < 30), name).toBe(true); // prettier-ignore
    }
    expect(table("again")).toEqual(table("whole"));
  });
});
