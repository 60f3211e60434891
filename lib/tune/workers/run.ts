// A search in several worker threads or processes: each imports the module, claims trials from the storage and runs them; this process
// watches. A worker that dies is replaced, and its trial goes on in another.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { AbortedError, ArgumentError, AthanorError, checkOptions, codeOf } from "../../errors.js";
import { got } from "../../names/got.js";
import type { ProgressStream } from "../../train/run/progress.js";
import { searchProgress } from "../study/progress.js";
import { planTune } from "../study/options.js";
import { Standing } from "../study/standing.js";
import type { Study } from "../study/study.js";
import { load } from "../study/tune.js";
import { View } from "../study/view.js";
import { openStorage } from "../storage/open.js";
import type { Definition } from "./define.js";
import { requirePath } from "../../guidance/arguments.js";
import { readerOf, type Reader } from "./typescript.js";

/** Options of {@link workers}. */
export interface WorkersOptions {
  /** How many. Default 2. */
  readonly workers?: number | undefined;
  /** Processes of their own, or threads of this one. Default "process". */
  readonly kind?: "process" | "thread" | undefined;
  /** The path of an SQLite file or a `postgres://` address. Default the definition's, else a file for this search alone. */
  readonly storage?: string | undefined;
  readonly name?: string | undefined;
  readonly trials?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: boolean | ProgressStream | undefined;
}

/**
 * Runs the search that a module exports (its default export, made by {@link define}) in several workers, and gives the study.
 * The trials are those of one worker, in the deterministic mode; `lag` of at least twice the number of workers keeps them busy.
 *
 * @param module the URL or path of the module; in TypeScript where Node reads that, or tsx is installed beside it.
 * @throws ArgumentError; what the objective throws, as the policy `failure` says; AbortedError.
 * @example
 * // study.mjs: export default tune.define(space, objective, { trials: 100, lag: 16 });
 * const run = () => tune.workers("study.mjs", { workers: 8, storage: "study.db" });
 * console.log(run.name);
 */
export async function workers(module: string | URL, options: WorkersOptions = {}): Promise<Study> {
  const where = "tune.workers";
  checkOptions(where, options, ["workers", "kind", "storage", "name", "trials", "signal", "progress"]);
  const { workers: count = 2, kind = "process", signal } = options;
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new ArgumentError(`${where}: workers: expected a whole number of 1 or more, got ${got(count)}`);
  }
  if (kind !== "process" && kind !== "thread") {
    throw new ArgumentError(`${where}: kind: expected "process" or "thread", got ${got(kind)}`);
  }
  requirePath(where, module, "study.ts", true);
  const url = typeof module === "string" && !/^[a-z]+:\/\//.test(module) ? pathToFileURL(module).href : String(module);
  const reader = await readerOf(where, url);
  const definition = requireDefinition(where, url, await loaded(where, url));
  const given = options.storage ?? definition.options.storage;
  if (typeof given === "object") {
    throw new ArgumentError(`${where}: storage: workers open it themselves; give the path of a file or an address`);
  }
  const own = given === undefined ? join(tmpdir(), `athanor-study-${randomUUID()}.db`) : undefined;
  const storage = given ?? own!;
  const { name = definition.options.name ?? "study", trials } = options;
  const job = { storage, name, concurrency: 1, ...(trials === undefined ? {} : { trials }) };
  try {
    // The study is there before its workers are.
    await definition.run({ ...job, trials: 0, progress: false });
    await crew({
      count,
      kind,
      url,
      reader,
      job,
      signal,
      watch: () => watch(definition, job, options.progress ?? false),
    });
    return await load(storage, name);
  } finally {
    if (own !== undefined) for (const suffix of ["", "-wal", "-shm"]) await rm(own + suffix, { force: true });
  }
}

function requireDefinition(where: string, url: string, module: unknown): Definition {
  // A module of CommonJS comes with its exports as default.
  const exported = (module as { default?: unknown }).default;
  const nested = (exported as { default?: unknown } | undefined)?.default;
  for (const each of [exported, nested]) if (typeof (each as Partial<Definition> | undefined)?.run === "function") return each as Definition; // prettier-ignore
  throw new ArgumentError(
    `${where}: ${url}: expected a module whose default export is a search, got ${got(exported)}; write export default tune.define(space, objective, { trials: 100 })`,
  );
}

interface Crew {
  readonly count: number;
  readonly kind: "process" | "thread";
  readonly url: string;
  readonly reader: Reader;
  readonly job: object;
  readonly signal: AbortSignal | undefined;
  readonly watch: () => Promise<() => Promise<void>>;
}

/** One worker: how it ended ("lost" if without a word), and how to end it in order. */
interface Hand {
  readonly ended: Promise<"done" | "lost" | Error>;
  stop(): void;
}

async function crew({ count, kind, url, reader, job, signal, watch }: Crew): Promise<void> {
  const begin = kind === "process" ? beginProcess : beginThread;
  const hands = new Set<Hand>();
  let failure: Error | undefined;
  const stopAll = (): void => hands.forEach((hand) => hand.stop());
  const onAbort = (): void => {
    failure ??= new AbortedError("tune.workers: aborted", { cause: signal!.reason });
    stopAll();
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  const unwatch = await watch();
  const post = async (): Promise<void> => {
    while (failure === undefined) {
      const hand = begin(url, job, reader);
      hands.add(hand);
      const ended = await hand.ended;
      hands.delete(hand);
      if (ended === "done") return;
      if (ended === "lost") continue;
      failure ??= ended;
      stopAll();
    }
  };
  try {
    await Promise.all(Array.from({ length: count }, post));
  } finally {
    signal?.removeEventListener("abort", onAbort);
    await unwatch();
  }
  if (failure !== undefined) throw failure;
}

const serve = `
  const { url, job } = given;
  const { default: own } = await import(url);
  const definition = own.run ? own : own.default;
  const control = new AbortController();
  onStop(() => control.abort(new Error("stopped")));
  try {
    await definition.run({ ...job, progress: false, signal: control.signal });
    say({ done: true });
  } catch (error) {
    say(control.signal.aborted ? { done: true } : { name: error?.name, message: error?.message ?? String(error), code: error?.code, stack: error?.stack });
  }
`;

type Said = { readonly done: true } | { readonly name?: string; readonly message: string; readonly code?: string; readonly stack?: string }; // prettier-ignore

function errorOf(said: Exclude<Said, { done: true }>): Error {
  const code = codeOf(said);
  const error = code === undefined ? new Error(said.message) : new AthanorError(code, said.message);
  Object.defineProperty(error, "name", { value: said.name ?? "Error" });
  if (said.stack !== undefined) error.stack = said.stack;
  return error;
}

function beginProcess(url: string, job: object, { execArgv }: Reader): Hand {
  const text = `const given = ${JSON.stringify({ url, job })};
    const say = (word) => new Promise((sent) => process.send(word, sent)).then(() => process.disconnect());
    const onStop = (stop) => { process.on("message", stop); process.on("disconnect", stop); process.on("SIGINT", () => {}); };
    ${serve}`;
  const child = spawn(process.execPath, [...process.execArgv, ...execArgv, "--input-type=module", "-e", text], { stdio: ["ignore", "inherit", "inherit", "ipc"] }); // prettier-ignore
  let said: Said | undefined;
  child.on("message", (word: Said) => (said = word));
  return {
    ended: new Promise((resolve) => {
      child.once("error", resolve);
      child.once("close", () => resolve(wordOf(said)));
    }),
    stop: () => {
      if (child.connected) child.send("stop");
    },
  };
}

function beginThread(url: string, job: object, { prelude }: Reader): Hand {
  const text = `(async () => {
    const { parentPort, workerData: given } = require("node:worker_threads");
    ${prelude}
    const say = (word) => { parentPort.postMessage(word); parentPort.close(); };
    const onStop = (stop) => parentPort.on("message", stop);
    ${serve} })();`;
  const thread = new Worker(text, { eval: true, workerData: { url, job } });
  let said: Said | undefined;
  thread.on("message", (word: Said) => (said = word));
  return {
    ended: new Promise((resolve) => {
      thread.once("error", resolve);
      thread.once("exit", () => resolve(wordOf(said)));
    }),
    stop: () => thread.postMessage("stop"),
  };
}

const wordOf = (said: Said | undefined): "done" | "lost" | Error =>
  said === undefined ? "lost" : "done" in said ? "done" : errorOf(said);

/** Shows the study as it goes, until the function that it gives is called. */
async function watch(
  definition: Definition,
  { storage: place, name, trials }: { readonly storage: string; readonly name: string; readonly trials?: number },
  shown: boolean | ProgressStream,
): Promise<() => Promise<void>> {
  if (shown === false) return () => Promise.resolve();
  const plan = planTune({ ...definition.options, ...(trials === undefined ? {} : { trials }), name } as never);
  const progress = searchProgress(shown, name, plan.budget);
  const storage = await openStorage(place);
  const study = (await storage.find(name))!;
  const view = new View(storage, study);
  const standing = new Standing(plan, progress);
  const look = async (): Promise<void> => {
    await view.sync();
    standing.show(view.trials);
  };
  const timer = setInterval(() => void look().catch(() => undefined), 200);
  return async () => {
    clearInterval(timer);
    await look().catch(() => undefined);
    progress.stop();
    await storage.close();
  };
}

async function loaded(where: string, url: string): Promise<unknown> {
  try {
    return (await import(url)) as unknown;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    if (!missing) throw cause; // what the file itself throws
    throw new ArgumentError(`${where}: cannot load "${url}": ${(cause as Error).message}`, { cause });
  }
}
