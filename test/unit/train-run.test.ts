// How a run is read, left and failed; how long a native call is; copies of the weights.
import { describe, expect, it, vi } from "vitest";
import { array, nn, Parameter } from "../../lib/index.js";
import { Pace } from "../../lib/train/pace.js";
import { Run } from "../../lib/train/run.js";
import { Snapshot } from "../../lib/train/snapshot.js";

describe("a run", () => {
  const counting = (until: number, taken: number[] = []) => {
    let left = false;
    const run = new Run<number, string>(
      async (context) => {
        for (let i = 0; i < until && !left; i += 2) {
          taken.push(i);
          await context.emit([i, i + 1]);
        }
        return left ? "left" : "done";
      },
      { onLeave: () => (left = true) },
    );
    return run;
  };

  it("does nothing until it is asked", async () => {
    const taken: number[] = [];
    const run = counting(4, taken);
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toEqual([]);
    expect(await run.result).toBe("done");
    expect(taken).toEqual([0, 2]);
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
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const run = new Run<number, void>(
      async (context) => {
        await context.emit([1, 2]);
        throw new Error("broken");
      },
      { onLeave: () => {} },
    );
    const reader = run[Symbol.asyncIterator]();
    expect([await reader.next(), await reader.next()].map(({ value }) => value)).toEqual([1, 2]);
    await expect(reader.next()).rejects.toThrow("broken");
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(unhandled).not.toHaveBeenCalled();
    await expect(run.result).rejects.toThrow("broken");
    process.off("unhandledRejection", unhandled);
  });
});

describe("pace", () => {
  it("grows towards its share of time and never asks for more than is left", () => {
    const pace = new Pace(0.1, 512);
    expect(pace.next(1000)).toBe(1);
    pace.note(1, 0.001);
    expect(pace.next(1000)).toBe(8); // 100 would fit, but one step is little to judge by
    pace.note(8, 0.008);
    expect(pace.next(1000)).toBe(64);
    pace.note(64, 0.064);
    expect(pace.next(1000)).toBe(100);
    expect(pace.next(7)).toBe(7);
    pace.note(100, 100);
    expect(pace.next(1000)).toBe(1);
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
