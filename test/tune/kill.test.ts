// Workers that are killed at random: nothing is lost, doubled or different. ATHANOR_KILL_SECONDS makes it longer.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { tune } from "../../lib/tune/index.js";
import { cleanUp, freshFile, ownPostgres, postgres } from "./storages.js";
import { pause, tableOf } from "./table.js";
import { search, type Job } from "./worker.js";

afterAll(cleanUp);

const script = fileURLToPath(new URL("worker.ts", import.meta.url));
const mostKills = Number(process.env.ATHANOR_KILLS ?? 3);
const folder = mkdtempSync(join(tmpdir(), "athanor-kill-"));

const start = (job: Job): ChildProcess => spawn(process.execPath, ["--import", "tsx", script, JSON.stringify(job)], { stdio: ["ignore", "ignore", "inherit"] }); // prettier-ignore
const ended = (child: ChildProcess): Promise<number | null> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once("exit", (code) => resolve(code)));

let jobs = 0;
function jobOf(place: string, over: Partial<Job> = {}): Job {
  const own = join(folder, String(jobs++));
  return { place, name: `kill ${process.pid} ${jobs}`, trials: 40, steps: 6, delay: 60, lease: 0.6, checkpoints: own, log: `${own}.log`, ...over }; // prettier-ignore
}

async function aloneTable(job: Job): Promise<unknown[]> {
  const own = join(folder, `alone-${jobs++}`);
  return tableOf(await search({ ...job, place: "memory", delay: 0, checkpoints: own, log: `${own}.log` }));
}

const logOf = ({ log }: Job): string => (existsSync(log) ? readFileSync(log, "utf8") : "");

/** How many times a step was begun that had been begun before. */
function stepsAgain(job: Job): number {
  const lines = readFileSync(job.log, "utf8").trim().split("\n").map((line) => line.split(" ").slice(0, 2).join(" ")); // prettier-ignore
  return lines.length - new Set(lines).size;
}

const places = [
  ["sqlite", freshFile],
  ...(postgres === undefined ? [] : [["postgres", () => postgres!] as const]),
] as const;

// At the same time: most of it is waiting for leases.
describe.concurrent.each(places)("%s", (_, place) => {
  it(
    "★ workers killed at random: the same table as one that was left alone, no step lost",
    { timeout: mostKills * 10_000 + 120_000 },
    async () => {
      // Each victim had begun a step; whoever is starting does nothing that a kill could spoil. The study may end before all are killed.
      const job = jobOf(place(), { trials: mostKills * 8 });
      const workers = [start(job), start(job), start(job)];
      const isUp = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;
      let kills = 0;
      while (kills < mostKills && workers.some(isUp)) {
        await pause(50 + Math.random() * 300);
        const victim = Math.floor(Math.random() * workers.length);
        const worker = workers[victim]!;
        if (!isUp(worker) || !logOf(job).includes(` ${worker.pid} `)) continue;
        worker.kill("SIGKILL");
        kills++;
        workers[victim] = start(job);
      }
      expect(await Promise.all(workers.map(ended))).toEqual([0, 0, 0]);
      const study = await tune.load(job.place, job.name);
      expect(tableOf(study)).toEqual(await aloneTable(job));
      // A kill costs the step that it fell in. On a busy machine one that lives may lose its lease too, and does steps until it is told.
      const losses = study.records.reduce((sum, trial) => sum + trial.losses, 0);
      expect(stepsAgain(job)).toBeLessThanOrEqual(kills + job.steps * Math.max(0, losses - kills));
    },
  );

  it(
    "a worker that was stopped beyond its lease: its trial goes on elsewhere, its late write is refused, and it goes on",
    { timeout: 120_000 },
    async () => {
      const job = jobOf(place(), { trials: 10, delay: 100 });
      const [paused, other] = [start(job), start(job)];
      while (!logOf(job).includes(` ${paused.pid} `)) await pause(20);
      paused.kill("SIGSTOP");
      await pause(1500);
      paused.kill("SIGCONT");
      expect(await Promise.all([paused, other].map(ended))).toEqual([0, 0]);
      expect(tableOf(await tune.load(job.place, job.name))).toEqual(await aloneTable(job));
    },
  );
});

it.skipIf(postgres === undefined).concurrent(
  "a database that is stopped and started in mid-study: nothing is lost",
  { timeout: 120_000 },
  async () => {
    const server = (await ownPostgres())!;
    try {
      const job = jobOf(server.address, { trials: 16, delay: 80, lease: 20 });
      const workers = [start(job), start(job)];
      while (!workers.every(({ pid }) => logOf(job).includes(` ${pid} `))) await pause(20);
      await server.stop();
      // One that starts while the database is away waits for it too.
      workers.push(start(job));
      await pause(2000);
      await server.start();
      expect(await Promise.all(workers.map(ended))).toEqual([0, 0, 0]);
      expect(tableOf(await tune.load(job.place, job.name))).toEqual(await aloneTable(job));
    } finally {
      await server.remove();
    }
  },
);
