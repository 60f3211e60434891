// How a run is read, left and failed; how long a native call is; copies of the weights.
import { describe, expect, it, vi } from "vitest";
import { array, nn, Parameter } from "../../../lib/index.js";
import { ChunkSizer } from "../../../lib/train/step/chunk-sizer.js";
import { Run } from "../../../lib/train/run/run.js";
import { Snapshot } from "../../../lib/train/run/snapshot.js";

describe("a run", () => {
  const counting = (until: number, taken: number[] = []) => {
    let left = false;
    const run = new Run<number, string>(
      async (context) => {
        for (let i = 0; i < until && !left; i += 2) {
          taken.push(i);
          if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
          await context.emit([i, i + 1]);
        }
        return left ? "left" : "done";
      },
      { onLeave: () => (left = true) },
    );
    return run;
  };

  it("begins by itself and ends without anybody who reads or awaits it", async () => {
    const taken: number[] = [];
    counting(10_000, taken);
    expect(taken).toEqual([]); // not before the caller has had time to read
    await vi.waitFor(() => expect(taken).toHaveLength(5000));
  });

  it("is a promise of its result", async () => {
    expect(await counting(4)).toBe("done");
    expect(await counting(4).result).toBe("done");
    expect(await Promise.all([counting(4), counting(2).then((text) => text.length)])).toEqual(["done", 4]);
    const last: string[] = [];
    expect(await counting(2).finally(() => last.push("finally"))).toBe("done");
    expect(last).toEqual(["finally"]);
    const broken = new Run<number, string>(() => Promise.reject(new Error("broken")), { onLeave: () => {} });
    expect(await broken.catch((reason: unknown) => String(reason))).toBe("Error: broken");
    const inside = async () => counting(4); // an async function gives the result on, and not the run
    expect(await inside()).toBe("done");
  });

  it("gives all events to a reader that comes in the same turn, and the rest to one that comes later", async () => {
    const prompt = counting(6);
    await Promise.resolve();
    expect(await all(prompt)).toEqual([0, 1, 2, 3, 4, 5]);
    const taken: number[] = [];
    const run = counting(Infinity, taken);
    await vi.waitFor(() => expect(taken.length).toBeGreaterThan(10));
    for await (const event of run) {
      expect(event).toBeGreaterThan(10);
      break;
    }
    expect(await run).toBe("left");
    expect(await all(run)).toEqual([]); // nothing is kept for those who come afterwards
  });

  it("gives every event to its reader, and then the result", async () => {
    const run = counting(6);
    const seen = [];
    for await (const event of run) seen.push(event);
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await run.result).toBe("done");
  });

  it("waits for its reader", async () => {
    const taken: number[] = [];
    const reader = counting(6, taken)[Symbol.asyncIterator]();
    await reader.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(taken).toEqual([0]);
    await reader.next();
    await reader.next();
    expect(taken).toEqual([0, 2]);
  });

  it("is not held up by an iterator that nobody reads", async () => {
    const run = counting(6);
    run[Symbol.asyncIterator]();
    expect(await run.result).toBe("done");
  });

  it("ends when the loop is left, before the code after the loop runs", async () => {
    const taken: number[] = [];
    const run = counting(1000, taken);
    for await (const event of run) if (event === 3) break;
    expect(taken).toEqual([0, 2]);
    expect(await run.result).toBe("left");
  });

  it("serves two readers", async () => {
    const run = counting(6);
    const read = async () => {
      const seen: number[] = [];
      for await (const event of run) seen.push(event);
      return seen;
    };
    expect(await Promise.all([read(), read()])).toEqual([
      [0, 1, 2, 3, 4, 5],
      [0, 1, 2, 3, 4, 5],
    ]);
  });

  it("throws its failure to the reader once, after the events before it", async () => {
    const run = failing(1, 2);
    const reader = run[Symbol.asyncIterator]();
    expect([await reader.next(), await reader.next()].map(({ value }) => value)).toEqual([1, 2]);
    await expect(reader.next()).rejects.toThrow("broken");
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    await expect(run).rejects.toThrow("broken");
    await expect(all(run)).rejects.toThrow("broken"); // to one that comes too late as well
  });

  it("throws a failure that comes while it is being left out of the loop", async () => {
    let left = false;
    const run = new Run<number, void>(
      async (context) => {
        await context.emit([1]);
        await vi.waitFor(() => expect(left).toBe(true));
        throw new Error("on the way out");
      },
      { onLeave: () => (left = true) },
    );
    const leave = async () => {
      for await (const _ of run) break;
    };
    await expect(leave()).rejects.toThrow("on the way out");
  });

  it.each<[string, (run: Run<number, void>) => unknown, boolean]>([
    ["nobody asks", () => {}, true],
    ["only a derived promise is asked, and not for failures", (run) => void run.then(() => {}), true],
    ["an iterator was made and never read", (run) => run[Symbol.asyncIterator](), true],
    ["a reader left before it, by hand and without awaiting", (run) => void leftAtOnce(run), true],
    ["it is awaited", (run) => run.then(undefined, () => {}), false],
    ["it is caught", (run) => run.catch(() => {}), false],
    ["its result is caught", (run) => run.result.catch(() => {}), false],
    ["a reader takes all events", (run) => all(run).catch(() => {}), false],
    ["a slow reader takes all events", (run) => slowly(run).catch(() => {}), false],
    ["a reader and an awaiter are told", (run) => Promise.allSettled([all(run), run]), false],
  ])("reports a failure as unhandled just when nobody is told: %s", async (_, use, expected) => {
    const others = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    try {
      use(failing(1, 2));
      await new Promise((resolve) => setTimeout(resolve, 30));
    } finally {
      process.off("unhandledRejection", unhandled);
      for (const other of others) process.on("unhandledRejection", other);
    }
    expect(unhandled.mock.calls.map(([reason]) => String(reason))).toEqual(expected ? ["Error: broken"] : []);
  });
});

const failing = (...events: number[]) =>
  new Run<number, void>(
    async (context) => {
      for (const event of events) await context.emit([event]);
      throw new Error("broken");
    },
    { onLeave: () => {} },
  );

async function all<Event>(run: Run<Event, unknown>): Promise<Event[]> {
  const seen: Event[] = [];
  for await (const event of run) seen.push(event);
  return seen;
}

async function slowly(run: Run<number, unknown>): Promise<void> {
  for await (const _ of run) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function leftAtOnce(run: Run<number, unknown>): Promise<void> {
  await run[Symbol.asyncIterator]().return?.();
}

describe("chunk sizer", () => {
  it("grows towards its share of time and never asks for more than is left", () => {
    const chunkSizer = new ChunkSizer(0.1, 512);
    expect(chunkSizer.next(1000)).toBe(1);
    chunkSizer.note(1, 0.001);
    expect(chunkSizer.next(1000)).toBe(8); // 100 would fit, but one step is little to judge by
    chunkSizer.note(8, 0.008);
    expect(chunkSizer.next(1000)).toBe(64);
    chunkSizer.note(64, 0.064);
    expect(chunkSizer.next(1000)).toBe(100);
    expect(chunkSizer.next(7)).toBe(7);
    chunkSizer.note(100, 100);
    expect(chunkSizer.next(1000)).toBe(1);
  });
});

describe("a snapshot", () => {
  it("brings back what was saved, of every element type", async () => {
    const parameters = [
      new Parameter([3], { fill: nn.init.ones() }),
      new Parameter([2], { dtype: "i32" }),
      new Parameter([0]),
    ];
    const saved = parameters.map((parameter) => parameter.readSync());
    const snapshot = new Snapshot(parameters);
    expect(snapshot.taken).toBe(false);
    await snapshot.save();
    parameters[0]!.write(array([4, 5, 6]));
    parameters[1]!.write(array(Int32Array.of(7, 8)));
    await snapshot.restore();
    snapshot.dispose();
    expect(parameters.map((parameter) => parameter.readSync())).toEqual(saved);
  });
});
