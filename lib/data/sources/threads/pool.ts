// Threads that read and change samples, so that no parsing blocks the event loop: begun when they are wanted, shared by all sources of
// the process, ended when nothing was asked of them for a while. What they give waits for who takes it: two items a task, no more.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { adopt } from "../../../errors.js";
import { packageRoot } from "../../../native/loader.js";
import { aborted } from "../../../tensor/program.js";
import { marker, type Answer, type Order, type PlainError } from "./protocol.js";

/** Threads at most. */
export const mostThreads = Math.max(1, Math.min(4, availableParallelism() - 1));

const idleMs = 3000;

/** Items of a task that runs in a thread. */
class Stream {
  readonly id: number;
  private readonly waiting: Answer[] = [];
  private wake: (() => void) | undefined;

  constructor(id: number) {
    this.id = id;
  }

  put(answer: Answer): void {
    this.waiting.push(answer);
    this.wake?.();
  }

  async next(): Promise<Answer> {
    while (this.waiting.length === 0) await new Promise<void>((resolve) => (this.wake = resolve));
    return this.waiting.shift()!;
  }
}

class Thread {
  private readonly worker: Worker;
  private readonly streams = new Map<number, Stream>();
  private ids = 0;
  private takers = 0;
  private idle: NodeJS.Timeout | undefined;
  private readonly gone: (thread: Thread) => void;

  /** @param gone is told that nothing may be asked of the thread any more. */
  constructor(gone: (thread: Thread) => void) {
    this.gone = gone;
    const url = import.meta.url;
    const built = () => pathToFileURL(join(packageRoot(), "dist", "cjs", "index.js")).href;
    const serving = url.endsWith("/pool.ts") ? new URL("serve.ts", url).href : built();
    // The loader of TypeScript, where this is not compiled yet: a thread does not get it from the process.
    const isTypeScript = serving.endsWith(".ts") || process.execArgv.some((argument) => argument.includes("tsx"));
    const loader = isTypeScript ? `(await import("tsx/esm/api")).register();` : "";
    const text = `(async () => { ${loader} await import(require("node:worker_threads").workerData.serving); })();`;
    this.worker = new Worker(text, { eval: true, workerData: { kind: marker, serving }, execArgv: [], name: "athanor samples" }); // prettier-ignore
    this.worker.unref();
    this.worker.on("message", (answer: Answer) => this.streams.get(answer.id)?.put(answer));
    const lost = (why: string) => {
      gone(this);
      const error: PlainError = { name: "Error", message: `data: a thread that reads samples ${why}`, code: "ERR_ATHANOR_INTERNAL", stack: undefined }; // prettier-ignore
      for (const stream of this.streams.values()) stream.put({ id: stream.id, error });
    };
    this.worker.on("error", (error: Error) => lost(`failed: ${error.message}`));
    this.worker.on("exit", (code) => lost(`ended with code ${code}`));
  }

  get load(): number {
    return this.streams.size;
  }

  begin(task: string, given: unknown): Stream {
    clearTimeout(this.idle);
    const stream = new Stream((this.ids += 1));
    this.streams.set(stream.id, stream);
    this.send({ begin: { id: stream.id, task, given } });
    return stream;
  }

  /** The process stays as long as somebody waits. */
  async take(stream: Stream): Promise<Answer> {
    if ((this.takers += 1) === 1) this.worker.ref();
    try {
      const answer = await stream.next();
      if ("item" in answer) this.send({ more: stream.id });
      return answer;
    } finally {
      if ((this.takers -= 1) === 0) this.worker.unref();
    }
  }

  end(stream: Stream): void {
    this.send({ close: stream.id });
    this.streams.delete(stream.id);
    if (this.streams.size > 0) return;
    this.idle = setTimeout(() => {
      this.gone(this);
      void this.worker.terminate();
    }, idleMs);
    this.idle.unref();
  }

  private send(order: Order): void {
    this.worker.postMessage(order);
  }
}

const threads = new Set<Thread>();

function leastBusy(): Thread {
  const [first] = [...threads].sort((a, b) => a.load - b.load);
  if (first && (first.load === 0 || threads.size >= mostThreads)) return first;
  const made = new Thread((gone) => threads.delete(gone));
  threads.add(made);
  return made;
}

/** The items of a task, made in a thread. @throws what the task throws; AbortedError */
export async function* inThread<Item>(task: string, given: unknown, signal?: AbortSignal): AsyncGenerator<Item> {
  const thread = leastBusy();
  const stream = thread.begin(task, given);
  const stop = () => stream.put({ id: stream.id, error: { name: "AbortError", message: "", code: undefined, stack: undefined } }); // prettier-ignore
  signal?.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      if (signal?.aborted) throw aborted("data", signal);
      const answer = await thread.take(stream);
      if (signal?.aborted) throw aborted("data", signal);
      if ("error" in answer) throw errorOf(answer.error);
      if ("done" in answer) return;
      yield answer.item as Item;
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    thread.end(stream);
  }
}

/** The one item of a task. */
export async function oneInThread<Item>(task: string, given: unknown): Promise<Item> {
  for await (const item of inThread<Item>(task, given)) return item;
  throw new Error(`data: a thread gave nothing for "${task}"`);
}

/** An error of a thread in its class. */
export function errorOf({ name, message, code, stack }: PlainError): Error {
  const error = Object.assign(new Error(message), code === undefined ? {} : { code });
  Object.defineProperty(error, "name", { value: name, configurable: true });
  if (stack !== undefined) error.stack = stack;
  return adopt(error) as Error;
}
