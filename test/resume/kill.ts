// Starts a training process, kills it at random moments until it has been killed often enough, and lets it end.
import { fork } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Scenario } from "./scenarios.js";

const child = fileURLToPath(new URL("child.ts", import.meta.url));

/** How a run is treated. */
export interface Treatment {
  readonly scenario: Scenario;
  readonly kills: number;
  /** Steps between two checkpoints. */
  readonly every: number;
  /** Milliseconds that a run takes once it has begun, about: kills fall into twice a share of it. */
  readonly span: number;
  readonly random: () => number;
  /** Threads of the engine, another number for every process. */
  readonly threads?: readonly number[];
}

/** What came of it. */
export interface Outcome {
  readonly result: string;
  readonly processes: number;
  readonly killed: number;
}

/** Runs a scenario under kills. */
export async function underKills(treatment: Treatment): Promise<Outcome> {
  const { scenario, kills, every, span, random, threads = [2] } = treatment;
  const folder = mkdtempSync(join(tmpdir(), `resume-${scenario}-`));
  const file = join(folder, "result.json");
  let killed = 0;
  let processes = 0;
  try {
    while (!existsSync(file)) {
      if (processes > 3 * kills + 3) throw new Error(`${scenario}: no end after ${processes} processes`);
      const wait = killed < kills ? random() * span : undefined;
      const env = { ...process.env, ATHANOR_THREADS: String(threads[processes % threads.length]) };
      processes += 1;
      if (await one([scenario, join(folder, "checkpoints"), String(every), file], env, wait)) killed += 1;
    }
    return { result: readFileSync(file, "utf8"), processes, killed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// True if it was killed; it is killed so many milliseconds after its training began.
async function one(args: readonly string[], env: NodeJS.ProcessEnv, wait: number | undefined): Promise<boolean> {
  return new Promise((settle, fail) => {
    const running = fork(child, args, {
      execArgv: ["--import", "tsx"],
      env,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let complaints = "";
    running.stderr!.on("data", (text: Buffer) => (complaints += text.toString()));
    let timer: NodeJS.Timeout | undefined;
    running.on("message", () => {
      if (wait !== undefined) timer = setTimeout(() => running.kill("SIGKILL"), wait);
    });
    running.on("error", fail);
    running.on("exit", (code, signal) => {
      clearTimeout(timer);
      if (signal === "SIGKILL") settle(true);
      else if (code === 0) settle(false);
      else fail(new Error(`${args[0]}: the process ended with ${code ?? signal}: ${complaints}`));
    });
  });
}
