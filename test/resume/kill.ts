// Starts a training process, kills it at a random moment and starts it again, until it has been killed often enough, and lets it end.
import { fork } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scenario } from "./scenarios.js";
import { compiled } from "../programs.js";

/** What a process runs. */
const child = compiled(new URL("child.ts", import.meta.url));

/** How a run is treated. */
export interface Treatment {
  readonly scenario: Scenario;
  readonly kills: number;
  /** Steps between two checkpoints. */
  readonly every: number;
  /** Milliseconds after its beginning until which the first process is killed. */
  readonly span: number;
  /** Steps of the whole run, as {@link stepsIn} counts them. */
  readonly steps: number;
  readonly random: () => number;
  /** Threads of the engine, another number for every process. */
  readonly threads?: readonly number[];
}

/** What came of it. */
export interface Outcome {
  readonly result: string;
  readonly processes: number;
  readonly killed: number;
  /** Processes that went on from a checkpoint which the one before had not found. */
  readonly advanced: number;
}

/** Steps until the newest checkpoint below a folder; of a run of several trainings, those of all. */
export function stepsIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  let newest = 0;
  let below = 0;
  for (const { name } of readdirSync(folder, { withFileTypes: true }).filter((each) => each.isDirectory())) {
    const step = /^step-(\d+)$/.exec(name)?.[1];
    if (step !== undefined) newest = Math.max(newest, Number(step));
    else if (!name.startsWith("aside-")) below += stepsIn(join(folder, name));
  }
  return newest + below;
}

/**
 * Runs a scenario under kills. A process is killed at any moment of a window of time. The window is longer where the run is behind
 * its pace, which would have it end soon after the last kill, and shorter where it is ahead: the kills fall all over the run, whatever the
 * speed of the machine.
 */
export async function underKills(treatment: Treatment): Promise<Outcome> {
  const { scenario, kills, every, span, steps, random, threads = [2] } = treatment;
  const folder = mkdtempSync(join(tmpdir(), `resume-${scenario}-`));
  const [file, checkpoints] = [join(folder, "result.json"), join(folder, "checkpoints")];
  let [killed, processes, advanced, before, window] = [0, 0, 0, 0, span];
  try {
    while (!existsSync(file)) {
      if (processes > 3 * kills + 3) throw new Error(`${scenario}: no end after ${processes} processes`);
      const wait = killed < kills ? random() * window : undefined;
      const env = { ...process.env, ATHANOR_THREADS: String(threads[processes % threads.length]) };
      processes += 1;
      if (await one([scenario, checkpoints, String(every), file], env, wait)) killed += 1;
      const now = stepsIn(checkpoints);
      if (now > before) advanced += 1;
      before = now;
      window *= now / steps > killed / (kills + 1) ? 0.8 : 1.2;
    }
    return { result: readFileSync(file, "utf8"), processes, killed, advanced };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// True if it was killed; it is killed so many milliseconds after its training began.
async function one(args: readonly string[], env: NodeJS.ProcessEnv, wait: number | undefined): Promise<boolean> {
  return new Promise((settle, fail) => {
    const running = fork(child, args, {
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
