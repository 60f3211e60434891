// The whole form of the test of killed workers: `npm run test:tune-kills [minutes] [sqlite|postgres]`. Workers of a study are killed with
// SIGKILL at random, some are stopped beyond their lease and let go on, and PostgreSQL is stopped and started. Then the table of
// trials has to be that of a study left alone. It prints how long a trial whose worker was killed lay until another took it on: what is
// left of the lease, and until a worker asks.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { tune } from "athanor";
// @ts-expect-error a script without types
import { startPostgres } from "../../scripts/postgres.mjs";
import { pause, tableOf } from "./table.js";
import { search, type Job } from "./worker.js";

interface Server {
  readonly address: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  remove(): Promise<void>;
}

const [minutes = "10", kind = "sqlite"] = process.argv.slice(2);
const seconds = Number(minutes) * 60;
const folder = mkdtempSync(join(tmpdir(), "athanor-kills-"));
const server = kind === "postgres" ? await (startPostgres as () => Promise<Server | undefined>)() : undefined;
if (kind === "postgres" && server === undefined) throw new Error("PostgreSQL is not installed (apt-get install postgresql)"); // prettier-ignore
const place = server?.address ?? join(folder, "study.db");
const lease = 2;
// More trials than can end in that time: each takes 0.6 s of waiting on average, four workers.
const job: Job = { place, name: "kills", trials: Math.ceil(seconds * 8), sampler: "tpe", steps: 6, delay: 200, lease, checkpoints: join(folder, "a"), log: join(folder, "a.log"), until: Date.now() + seconds * 1000 }; // prettier-ignore

const script = fileURLToPath(new URL("worker.ts", import.meta.url));
const start = (): ChildProcess => spawn(process.execPath, ["--import", "tsx", script, JSON.stringify(job)], { stdio: ["ignore", "ignore", "pipe"] }); // prettier-ignore

const counts = { kills: 0, stops: 0, restarts: 0, refused: 0, failed: 0 };
const watch = (child: ChildProcess): ChildProcess => {
  let text = "";
  child.stderr!.on("data", (chunk: Buffer) => (text += String(chunk)));
  child.once("exit", (code) => {
    counts.refused += text.match(/another worker has taken it over/g)?.length ?? 0;
    if (code !== null && code !== 0) {
      counts.failed++;
      console.error(text);
    }
  });
  return child;
};

/** Processes that were killed, and when. */
const killed = new Map<number, number>();
const workers = Array.from({ length: 4 }, () => watch(start()));
let nextRestart = Date.now() + 60_000;
while (Date.now() < job.until!) {
  await pause(500 + Math.random() * 1500);
  const victim = Math.floor(Math.random() * workers.length);
  const worker = workers[victim]!;
  if (worker.exitCode !== null) break;
  // Whoever has not begun a step is still starting: where the machine is slow, nothing would ever be done.
  if (!existsSync(job.log) || !readFileSync(job.log, "utf8").includes(` ${worker.pid} `)) continue;
  if (Math.random() < 0.2) {
    counts.stops++;
    worker.kill("SIGSTOP");
    void pause(lease * 1000 + 1500).then(() => worker.kill("SIGCONT"));
  } else {
    counts.kills++;
    worker.kill("SIGCONT");
    worker.kill("SIGKILL");
    killed.set(worker.pid!, Date.now());
    workers[victim] = watch(start());
  }
  if (server !== undefined && Date.now() > nextRestart) {
    counts.restarts++;
    nextRestart = Date.now() + 60_000;
    await server.stop();
    await pause(1500);
    await server.start();
  }
}
for (const child of workers) {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once("exit", resolve));
}
// What the last of the dead held is ended without kills.
const count = (await tune.load(place, job.name)).trials.length;
await search({ ...job, trials: count, until: undefined });
const study = await tune.load(place, job.name);
const own = join(folder, "alone");
const alone = await search({ ...job, place: "memory", delay: 0, trials: study.trials.length, checkpoints: own, log: `${own}.log`, until: undefined }); // prettier-ignore
const [table, expected] = [tableOf(study), tableOf(alone)];
const differs = table.findIndex((trial, i) => !isDeepStrictEqual(trial, expected[i]));
const isSame = differs < 0 && table.length === expected.length;
if (!isSame) console.error("differs:", JSON.stringify([table[differs], expected[differs]]));

interface Line {
  readonly trial: number;
  readonly step: number;
  readonly pid: number;
  readonly time: number;
}
const lines = readFileSync(job.log, "utf8").trim().split("\n").map((text): Line => {
  const [trial, step, pid, time] = text.split(" ").map(Number) as [number, number, number, number];
  return { trial, step, pid, time };
}); // prettier-ignore

/** From a kill to the next step of the trial that it cut, in milliseconds. */
const takeovers = [...killed].flatMap(([pid, at]) => {
  const last = lines.findLast((line) => line.pid === pid);
  const next = last && lines.find((line) => line.trial === last.trial && line.pid !== pid && line.time > at);
  return next === undefined ? [] : [next.time - at];
}).sort((a, b) => a - b); // prettier-ignore
const again = lines.length - new Set(lines.map(({ trial, step }) => `${trial} ${step}`)).size;
const losses = study.records.reduce((sum, trial) => sum + trial.losses, 0);
const takeover = { p50: takeovers[takeovers.length >> 1], p90: takeovers[Math.floor(takeovers.length * 0.9)], most: takeovers.at(-1) }; // prettier-ignore
console.log(JSON.stringify({ storage: kind, minutes: Number(minutes), lease, trials: count, same: isSame, ...counts, losses, stepsAgain: again, takeover, load: Number(loadavg()[0]!.toFixed(1)) })); // prettier-ignore
await server?.remove();
process.exitCode = isSame && counts.failed === 0 ? 0 : 1;
