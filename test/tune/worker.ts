// A worker process of a study, for tests that kill it: trials of several steps, which keep where they are in a file of their own
// and go on from there. Argument: a Job as JSON.
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tune } from "athanor";
import type { Objective } from "../../lib/tune/study/search.js";
import { pause } from "./table.js";

export interface Job {
  readonly place: string;
  readonly name: string;
  readonly trials: number;
  readonly steps: number;
  /** Most milliseconds of a step. */
  readonly delay: number;
  readonly lease: number;
  readonly checkpoints: string;
  /** A line for every step that is begun: trial, step, process, time. */
  readonly log: string;
  /** When no more trials are to begin, in milliseconds since 1970; such a worker tells on stderr of leases that it lost. */
  readonly until?: number | undefined;
  /** One whose choices do not depend on how many trials there are to be, as those of `auto` do. */
  readonly sampler?: "tpe";
  /** Trials at a time, and an orderly end by SIGINT. */
  readonly interruptible?: number;
}

export const space = { x: tune.uniform(0, 1), k: tune.choice(["a", "b", "c"]) };

/** The objective of a job. */
export const objectiveOf =
  (job: Job): Objective<{ readonly x: number; readonly k: string }> =>
  async (trial, { params, signal }) => {
    const file = join(trial.folder!, "state.json");
    mkdirSync(trial.folder!, { recursive: true });
    let state = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { step: number; value: number }) : { step: 0, value: 1 }; // prettier-ignore
    const report = (): void => {
      // What is reported is written with the next heartbeat or at the end: a worker that goes on reports it again.
      for (let step = 1, value = 1; step <= state.step; step++) {
        value *= params.x + Math.sin(step - 1 + params.k.length);
        trial.report(step, value);
      }
    };
    report();
    // The worker before may have been killed between its last step and the verdict on it.
    if (trial.shouldPrune()) trial.prune();
    while (state.step < job.steps) {
      appendFileSync(job.log, `${trial.number} ${state.step} ${process.pid} ${Date.now()}\n`);
      await pause(Math.random() * job.delay);
      signal.throwIfAborted();
      state = { step: state.step + 1, value: state.value * (params.x + Math.sin(state.step + params.k.length)) };
      report();
      writeFileSync(`${file}.${process.pid}`, JSON.stringify(state));
      renameSync(`${file}.${process.pid}`, file);
      if (trial.shouldPrune()) trial.prune();
    }
    return state.value;
  };

/** The search of all workers of a job. */
export const search = (job: Job) =>
  tune(space, objectiveOf(job), {
    trials: job.trials,
    storage: job.place === "memory" ? undefined : job.place,
    name: job.name,
    lease: job.lease,
    lag: 8,
    checkpoints: job.checkpoints,
    pruner: tune.asha({ factor: 2 }),
    losses: 1000,
    ...(job.sampler === undefined ? {} : { sampler: tune.tpe() }),
    ...(job.interruptible === undefined ? {} : { signals: true, concurrency: job.interruptible }),
    ...(job.until === undefined ? {} : { timeout: Math.max(1, job.until - Date.now()) / 1000, progress: true }),
  });

if (process.argv[2] !== undefined && process.argv[1]?.endsWith("worker.ts")) {
  await search(JSON.parse(process.argv[2]) as Job);
  process.exit(0);
}
