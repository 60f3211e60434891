// The side of the threads: each task is a sequence of items, given as they are asked for. A thread of ours imports the file that this
// code stands in, and serves because its `workerData` says so; on all other threads this does nothing.
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { readImage, type ImageForm } from "../image-file.js";
import { learnFile, readRows, type LearnRequest, type RowsRequest } from "../tables/open.js";
import { changeChunks, type ChangeRequest } from "./change.js";
import { ahead, marker, plainChunk, type Answer, type Begin, type Order, type PlainError } from "./protocol.js";

/** An item, and the buffers that go over with it. */
interface Item {
  readonly item: unknown;
  readonly moved?: readonly ArrayBuffer[];
}

type Task = (given: never, signal: AbortSignal) => AsyncIterable<Item>;

/** What threads do. */
const tasks: Readonly<Record<string, Task>> = {
  async *learn(request: LearnRequest) {
    yield { item: await learnFile(request) };
  },
  async *rows(request: RowsRequest, signal) {
    for await (const { chunk, skipped, filled } of readRows(request, signal)) {
      const moved = chunk && [chunk.x.data.buffer, chunk.y.data.buffer];
      yield { item: { chunk: chunk && plainChunk(chunk), skipped, filled }, moved: (moved ?? []) as ArrayBuffer[] };
    }
  },
  async *images({ where, paths, form }: { where: string; paths: readonly string[]; form: ImageForm }) {
    for (const path of paths) {
      try {
        const image = await readImage(where, path, form);
        yield { item: { image }, moved: [image.data.buffer as ArrayBuffer] };
      } catch (thrown) {
        yield { item: { error: plainError(thrown) } };
      }
    }
  },
  async *change(request: ChangeRequest) {
    for await (const item of changeChunks(request)) yield { item };
  },
};

function plainError(thrown: unknown): PlainError {
  const { name, message, code, stack } = (thrown instanceof Error ? thrown : new Error(String(thrown))) as NodeJS.ErrnoException; // prettier-ignore
  return { name, message, code, stack };
}

/** One task that runs. */
class Running {
  private credit = ahead;
  private wake: (() => void) | undefined;
  private readonly control = new AbortController();

  constructor(port: MessagePort, { id, task, given }: Begin, ended: () => void) {
    void this.run(port, id, tasks[task]!, given).finally(ended);
  }

  more(): void {
    this.credit += 1;
    this.wake?.();
  }

  close(): void {
    this.control.abort();
    this.wake?.();
  }

  private async run(port: MessagePort, id: number, task: Task, given: unknown): Promise<void> {
    const { signal } = this.control;
    const answer = (said: Answer, moved: readonly ArrayBuffer[] = []) => port.postMessage(said, [...moved]);
    try {
      for await (const { item, moved } of task(given as never, signal)) {
        if (signal.aborted) return;
        answer({ id, item }, moved);
        this.credit -= 1;
        while (this.credit <= 0 && !signal.aborted) await new Promise<void>((resolve) => (this.wake = resolve));
      }
      answer({ id, done: true });
    } catch (thrown) {
      if (!signal.aborted) answer({ id, error: plainError(thrown) });
    }
  }
}

function serve(port: MessagePort): void {
  const running = new Map<number, Running>();
  port.on("message", (order: Order) => {
    if ("begin" in order) {
      const { begin } = order;
      running.set(begin.id, new Running(port, begin, () => running.delete(begin.id)));
    } else if ("more" in order) running.get(order.more)?.more();
    else running.get(order.close)?.close();
  });
}

if ((workerData as { readonly kind?: unknown } | null)?.kind === marker && parentPort) serve(parentPort);
