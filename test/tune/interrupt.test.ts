// Ctrl-C in a search: a process of its own is told to end by SIGINT in mid-trial. It gives its trials back with what they have, keeps
// everything, and says how to go on; tune.load(…).resume() then comes to the table of a search that nobody interrupted.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { tune } from "../../lib/tune/index.js";
import { cleanUp, freshFile, postgres } from "./storages.js";
import { pause, tableOf } from "./table.js";
import { objectiveOf, search, type Job } from "./worker.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-interrupt-"));
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cleanUp();
});

const script = fileURLToPath(new URL("worker.ts", import.meta.url));

interface End {
  readonly code: number | null;
  readonly said: string;
}

/** Runs a job and sends it SIGINT when a number of steps have begun. */
async function interrupt(job: Job, steps: number): Promise<End> {
  const child = spawn(process.execPath, ["--import", "tsx", script, JSON.stringify(job)], { stdio: ["ignore", "ignore", "pipe"] }); // prettier-ignore
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += String(chunk)));
  const end = new Promise<End>((resolve) => child.once("close", (code) => resolve({ code, said })));
  const begun = (): number => (existsSync(job.log) ? readFileSync(job.log, "utf8").split("\n").length - 1 : 0);
  while (begun() < steps && child.exitCode === null) await pause(10);
  child.kill("SIGINT");
  return end;
}

describe.each(["sqlite", "postgres"])("%s", (kind) => {
  it.skipIf(kind === "postgres" && postgres === undefined)(
    "★ SIGINT gives back the trials that run, keeps everything, and the study goes on to the same table",
    { timeout: 120_000 },
    async () => {
      const own = join(folder, kind);
      const place = kind === "sqlite" ? freshFile() : postgres!;
      const job: Job = { place, name: `interrupt ${process.pid}`, trials: 16, steps: 6, delay: 60, lease: 600, checkpoints: own, log: `${own}.log`, interruptible: 3 }; // prettier-ignore
      const { code, said } = await interrupt(job, 30);
      expect(code).toBe(130);
      expect(said).toContain(
        "InterruptedError: tune: SIGINT came; everything is kept: the same call goes on, or tune.load(",
      );
      const study = await tune.load(place, job.name);
      const states = new Set(study.trials.map(({ state }) => state));
      expect([...states].filter((state) => !["complete", "pruned", "waiting"].includes(state))).toEqual([]);
      // Those that were under way have their parameters and what they had reported; one may not have had its parameters yet.
      const waiting = study.trials.filter(({ state }) => state === "waiting");
      expect(waiting.length).toBeLessThanOrEqual(3);
      for (const { params, intermediate, error } of waiting) {
        if (intermediate.length > 0) expect(params).toMatchObject({ x: expect.any(Number) as number });
        expect(error).toBeUndefined();
      }
      // With a lease of ten minutes, what was not given back would keep the search waiting for as long.
      const { trials, checkpoints, lag } = { trials: job.trials, checkpoints: own, lag: 8 };
      const pruner = tune.asha({ factor: 2 });
      const whole = await study.resume(objectiveOf({ ...job, delay: 0 }) as never, {
        trials,
        checkpoints,
        lag,
        pruner,
      });
      const alone = await search({ ...job, place: "memory", delay: 0, checkpoints: `${own}-alone`, log: `${own}-alone.log` }); // prettier-ignore
      expect(tableOf(whole)).toEqual(tableOf(alone));
    },
  );
});
