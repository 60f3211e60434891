// Trials a second of a storage with several processes, how long they wait for a trial, and whether every number is there once.
//   node --import tsx bench/tune/storage.ts --place /tmp/bench.db --processes 8 --trials 4000 --reports 10
//   node --import tsx bench/tune/storage.ts --place postgres://… --processes 8 --slots 8 --trials 10000
//   node --import tsx bench/tune/storage.ts --processes 8 --apart    a file, or a study, for each process: what they wait for is the machine
//   node --import tsx bench/tune/storage.ts --processes 8 --rate 500         objectives end so that all together make so many trials a second
// An "ask" is all between the question for a trial and its objective: claim, what changed since, sampler, parameters on the disk; the "gap" is
// all between two objectives: the end of the last trial too. "wait" is the longest that a process stood at one operation of its storage.
// Without a rate, objectives take no time, and what is measured is the queue that the processes are for each other. Every process has
// done some trials of another study before, so that its code is compiled. The rate of the disk itself: bench/tune/disk.ts.
import { fork } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { tune, type Trial } from "../../lib/tune/index.js";
import { openStorage } from "../../lib/tune/storage/open.js";
import type { Storage } from "../../lib/tune/storage/storage.js";
import { diskRate } from "./disk.js";

const { values: options } = parseArgs({
  options: {
    place: { type: "string", default: `/tmp/athanor-bench-${process.pid}.db` },
    processes: { type: "string", default: "8" },
    slots: { type: "string", default: "1" },
    trials: { type: "string", default: "4000" },
    reports: { type: "string", default: "10" },
    name: { type: "string", default: `bench ${process.pid}` },
    rate: { type: "string", default: "0" },
    warmup: { type: "string", default: "500" },
    apart: { type: "boolean", default: false },
    child: { type: "boolean", default: false },
  },
});
const count = Number(options.processes);
const isFile = !options.place.includes("://");
/** The place and the study of a process; with --apart its own. */
const studyOf = (pid: number | undefined): { readonly place: string; readonly name: string } => ({
  place: options.apart && isFile ? `${options.place}-${pid}` : options.place,
  name: options.apart ? `${options.name} ${pid}` : options.name,
});
const trials = Number(options.trials);

interface Timing {
  readonly asks: number[];
  readonly gaps: number[];
  readonly waits: number[];
}

/** A storage that notes how long each operation took, and when the last question for a trial began. */
function timed(storage: Storage, waits: number[], asked: (at: number) => void): Storage {
  return new Proxy(storage, {
    get(target, key: keyof Storage) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        const begun = performance.now();
        if (key === "claim") asked(begun);
        const answer: unknown = await (value as (...given: unknown[]) => Promise<unknown>).apply(target, args);
        if (key !== "wait") waits.push(performance.now() - begun);
        return answer;
      };
    },
  });
}

const space = { x: tune.uniform(0, 1), y: tune.logUniform(1e-5, 1), n: tune.int(1, 8) };
const reports = Number(options.reports);

/** A study of its own: what a process runs for the first time is compiled on the way, which takes longer than all else. */
async function warm(): Promise<void> {
  const { place } = studyOf(process.pid);
  const objective = (trial: Trial, { params }: { readonly params: { readonly x: number } }): number => {
    for (let step = 0; step < reports; step++) trial.report(step, params.x);
    return params.x;
  };
  await tune(space, objective, { storage: place, name: `warm ${process.pid}`, trials: Number(options.warmup), mode: "free", sampler: tune.random() }); // prettier-ignore
}

/** An objective that ends at its time: all processes together end `rate` trials a second, at times drawn so that they do not march in step. */
function workOf(): () => Promise<void> {
  const rate = Number(options.rate);
  let due = performance.now();
  return async () => {
    if (rate === 0) return;
    due += ((0.5 + Math.random()) * 1000 * count * Number(options.slots)) / rate;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  };
}

async function child(): Promise<void> {
  const timing: Timing = { asks: [], gaps: [], waits: [] };
  await warm();
  process.send!("ready");
  await once(process, "message");
  const search = async (): Promise<void> => {
    let begun = 0;
    let ended: number | undefined;
    const work = workOf();
    const { place, name } = studyOf(process.pid);
    const storage = await openStorage(place);
    await tune(
      space,
      async (trial, { params }) => {
        const now = performance.now();
        timing.asks.push(now - begun);
        if (ended !== undefined) timing.gaps.push(now - ended);
        await work();
        for (let step = 0; step < reports; step++) trial.report(step, params.x / (step + 1));
        ended = performance.now();
        return params.x;
      },
      { storage: timed(storage, timing.waits, (at) => (begun = at)), name, trials: options.apart ? trials / count : trials, mode: "free", sampler: tune.random() }, // prettier-ignore
    );
    await storage.close();
  };
  await Promise.all(Array.from({ length: Number(options.slots) }, search));
  await new Promise((sent) => process.send!(timing, undefined, {}, sent));
  process.disconnect();
}

const at = (list: readonly number[], q: number): number => [...list].sort((a, b) => a - b)[Math.floor(q * (list.length - 1))] ?? NaN; // prettier-ignore
const round = (x: number): number => Number(x.toPrecision(3));

async function main(): Promise<void> {
  const before = isFile ? await diskRate(options.place) : undefined;
  const args = [...process.argv.slice(2), "--child", "--name", options.name, "--place", options.place];
  const children = Array.from({ length: count }, () => fork(fileURLToPath(import.meta.url), args, { execArgv: process.execArgv, serialization: "advanced" })); // prettier-ignore
  await Promise.all(children.map((each) => once(each, "message")));
  const begun = performance.now();
  const timings = children.map((each) => once(each, "message").then(([timing]) => timing as Timing));
  for (const each of children) each.send("go");
  const codes = Promise.all(children.map((each) => once(each, "exit").then(([code]) => code as number)));
  const all = await Promise.race([Promise.all(timings), codes.then(() => Promise.reject(new Error("a process failed")))]); // prettier-ignore
  const seconds = (performance.now() - begun) / 1000;
  const exits = await codes;
  const places = options.apart ? children.map(({ pid }) => studyOf(pid)) : [studyOf(undefined)];
  const studies = await Promise.all(places.map(({ place, name }) => tune.load(place, name)));
  const numbers = studies.flatMap(({ trials: all }, i) => all.map(({ number }) => `${i} ${number}`));
  const [asks, gaps, waits] = (["asks", "gaps", "waits"] as const).map((key) => all.flatMap((each) => each[key])) as [number[], number[], number[]]; // prettier-ignore
  const spread = (list: readonly number[]) => ({ p50: round(at(list, 0.5)), p99: round(at(list, 0.99)), max: round(at(list, 1)) }); // prettier-ignore
  const row = {
    storage: isFile ? "sqlite" : "postgres",
    processes: count,
    slots: Number(options.slots),
    ...(options.apart ? { apart: true } : {}),
    trials,
    reports: Number(options.reports),
    perSecond: round(trials / seconds),
    ...(Number(options.rate) > 0 ? { rate: Number(options.rate) } : {}),
    ask: spread(asks),
    gap: spread(gaps),
    wait: round(at(waits, 1)),
    failed: exits.filter((code) => code !== 0).length,
    missing: trials - new Set(numbers).size,
    doubled: asks.length - trials,
    load: round(os.loadavg()[0]!),
    ...(before === undefined ? {} : { disk: before }),
  };
  console.log(JSON.stringify(row));
  if (isFile)
    for (const { place } of places) for (const suffix of ["", "-wal", "-shm"]) rmSync(place + suffix, { force: true });
}

await (options.child ? child() : main());
