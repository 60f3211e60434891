// The addon in worker threads and in processes that end: two train at once and get what they would alone; terminate() and exit()
// in mid-step, again and again, neither crash nor hang.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { compiled } from "../programs.js";

const script = compiled(new URL("training.ts", import.meta.url));
const forever = 1_000_000_000;

const start = (job: object): Worker => new Worker(script, { workerData: job });

async function messageOf(worker: Worker): Promise<unknown> {
  const [message] = (await Promise.race([
    once(worker, "message"),
    once(worker, "error").then(([error]) => Promise.reject(error as Error)),
  ])) as [unknown];
  return message;
}

async function weightsOf(worker: Worker): Promise<Float32Array[]> {
  for (;;) {
    const message = await messageOf(worker);
    if (message !== "begun") return message as Float32Array[];
  }
}

describe("worker threads", () => {
  it("train at the same time, each as if it were alone", async () => {
    const jobs = [
      { steps: 60, seed: 1 },
      { steps: 60, seed: 2 },
    ];
    const together = await Promise.all(jobs.map((job) => weightsOf(start(job))));
    const alone = [];
    for (const job of jobs) alone.push(await weightsOf(start(job)));
    expect(together).toEqual(alone);
    expect(together[0]).not.toEqual(together[1]);
  });

  it("can be terminated in mid-step, 50 times", { timeout: 240_000 }, async () => {
    for (let round = 0; round < 50; round += 5) {
      const workers = Array.from({ length: 5 }, (_, i) => start({ steps: forever, seed: i + 1 }));
      await Promise.all(
        workers.map(async (worker, i) => {
          expect(await messageOf(worker)).toBe("begun");
          await new Promise((later) => setTimeout(later, i * 3));
          await worker.terminate();
        }),
      );
    }
    expect(await weightsOf(start({ steps: 20, seed: 3 }))).toHaveLength(4);
  });
});

describe("processes", () => {
  it("can exit in mid-step, 50 times", { timeout: 240_000 }, async () => {
    const exit = async (round: number) => {
      const job = JSON.stringify({ steps: forever, seed: round, exitAfter: round % 10 });
      const child = spawn(process.execPath, [script, job], { stdio: ["ignore", "ignore", "pipe"] });
      let errors = "";
      child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
      const [code, signal] = (await once(child, "close")) as [number | null, string | null];
      expect({ code, signal, errors }).toEqual({ code: 7, signal: null, errors: "" });
    };
    for (let round = 0; round < 50; round += 2) await Promise.all([exit(round), exit(round + 1)]);
  });
});
