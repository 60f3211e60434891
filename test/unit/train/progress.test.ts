import { describe, expect, it } from "vitest";
import { count, duration, number } from "../../../lib/train/run/format.js";
import { progress, type ProgressOptions } from "../../../lib/train/run/progress.js";

/** A terminal (or log) that keeps what was written, and a clock that moves when told. */
function stage(options: Partial<ProgressOptions> & { columns?: number; isTTY?: boolean } = {}) {
  const written: string[] = [];
  const clock = { now: 0 };
  const { columns = 100, isTTY = true, ...rest } = options;
  const stream = { isTTY, columns, write: (text: string) => written.push(text) };
  const bar = progress({ steps: 1000, epochs: 4, stream, now: () => clock.now, interactive: isTTY, ...rest });
  return { bar, clock, written, text: () => written.join("") };
}

const plain = (text: string) => text.replace(/\x1b\[[?0-9;]*[a-zA-Z]/g, "").replace(/\r/g, ""); // eslint-disable-line no-control-regex
const state = { index: 0, epoch: 0, loss: 0.5, lr: 1e-3, samplesPerSecond: 45_200 };

describe("on a terminal", () => {
  it("redraws at most ten times a second however many steps arrive", () => {
    const { bar, clock, written } = stage();
    for (let index = 0; index < 1000; index++) {
      clock.now = index / 500; // two seconds in all
      bar.step({ ...state, index });
    }
    const redraws = written.filter((text) => text.includes("\r"));
    expect(redraws.length).toBeGreaterThan(15);
    expect(redraws.length).toBeLessThanOrEqual(21);
    bar.stop();
    expect(plain(written.filter((text) => text.includes("\r")).at(-1)!)).toContain("1000/1000");
  });

  it("shows place, steps, loss, rate, speed and the time left at the pace so far", () => {
    const { bar, clock, written } = stage({ label: "mlp", columns: 140 });
    bar.step(state);
    clock.now = 25;
    bar.step({ ...state, index: 249, epoch: 1 });
    expect(plain(written.at(-1)!)).toBe(
      "mlp  epoch 2/4  ━━━━━━━╸━━━━━━━━━━━━━━━━━━━━━━   250/1000  loss 0.5000  lr 1e-3  45.2k samples/s  1 m 15 s left",
    );
    bar.stop();
  });

  it("reckons the time left from where a resumed run began", () => {
    const { bar, clock, written } = stage({ columns: 140 });
    clock.now = 0;
    bar.step({ ...state, index: 500 });
    clock.now = 10;
    bar.step({ ...state, index: 599 });
    expect(written.at(-1)).toContain("40 s left");
    bar.stop();
  });

  it.each([140, 90, 70, 50, 40, 30, 12])("keeps to %i columns", (columns) => {
    const { bar, clock, written } = stage({ label: "mlp", columns });
    clock.now = 1;
    bar.step({ ...state, index: 9 });
    const line = plain(written.at(-1)!);
    expect(line).toContain("10/1000");
    if (columns >= 30) expect(line.length).toBeLessThan(columns);
    if (columns >= 70) expect(line).toContain("left");
    bar.stop();
  });

  it("hides the cursor while it draws and gives it back once, on stop, twice called or by `using`", () => {
    const { bar, text } = stage();
    bar.step(state);
    expect(text()).toContain("\x1b[?25l");
    expect(text()).not.toContain("\x1b[?25h");
    bar.stop();
    bar[Symbol.dispose]();
    bar.step({ ...state, index: 5 });
    expect(text().split("\x1b[?25h")).toHaveLength(2);
    expect(text().endsWith("\n\x1b[?25h")).toBe(true);
  });

  it("gives the cursor back when the run throws", () => {
    const { bar, text } = stage();
    expect(() => {
      using shown = bar;
      shown.step(state);
      throw new Error("aborted");
    }).toThrow("aborted");
    expect(text()).toContain("\x1b[?25h");
  });

  it("keeps a line for each epoch above the bar", () => {
    const { bar, written } = stage();
    bar.step(state);
    bar.epoch({ epoch: 0, metrics: { loss: 0.31, "val.accuracy": 0.9712 } });
    bar.stop();
    const rows = written.map(plain);
    expect(rows).toContain("epoch 1/4  loss 0.3100  val.accuracy 0.9712\n");
    expect(written.some((text) => text.startsWith("\r\x1b[2Kepoch 1/4"))).toBe(true);
  });

  it("writes nothing before the first step, and nothing on stop then", () => {
    const { bar, written } = stage();
    bar.stop();
    expect(written).toEqual([]);
  });
});

describe("elsewhere", () => {
  it("writes plain lines, at most one in the interval, and every epoch", () => {
    const { bar, clock, written, text } = stage({ isTTY: false });
    for (let index = 0; index < 1000; index++) {
      clock.now = index / 25; // forty seconds in all
      bar.step({ ...state, index, epoch: Math.floor(index / 250) });
    }
    bar.epoch({ epoch: 3, metrics: { loss: NaN } });
    bar.stop();
    expect(written).toHaveLength(4);
    expect(written[0]).toBe("epoch 2/4  step 251/1000  loss 0.5000  lr 1e-3  45.2k samples/s  30 s left\n");
    expect(written[3]).toBe("epoch 4/4  loss NaN\n");
    expect(text()).not.toContain("\x1b");
    expect(text()).not.toContain("\r");
  });

  it("says nothing if quiet", () => {
    const { bar, written } = stage({ quiet: true });
    bar.step(state);
    bar.note("hello");
    bar.epoch({ epoch: 0, metrics: {} });
    bar.stop();
    expect(written).toEqual([]);
  });
});

describe("numbers", () => {
  it.each<[number, string]>([
    [0.1234567, "0.1235"], [12.345, "12.35"], [100, "100"], [0.0050, "5e-3"], [2.302585, "2.3026"], [8.123e-4, "8.12e-4"], [1e-3, "1e-3"], [1e-4, "1e-4"],
    [12345.6, "12346"], [2.5e7, "2.5e7"], [0, "0"], [NaN, "NaN"], [Infinity, "Infinity"], [-0.5, "-0.5000"], [7, "7"],
  ])("%d reads %s", (value, text) => expect(number(value)).toBe(text)); // prettier-ignore

  it.each<[number, string]>([
    [950, "950"], [45_200, "45.2k"], [134_000, "134k"], [999_960, "1.0M"], [3.25e6, "3.3M"], [2.5, "2.5"], [0, "0"], [Infinity, "Infinity"],
  ])("%d counts as %s", (value, text) => expect(count(value)).toBe(text)); // prettier-ignore

  it.each<[number, string]>([
    [0.81, "0.8 s"], [9.94, "9.9 s"], [9.96, "10 s"], [59.6, "1 m 00 s"], [185, "3 m 05 s"], [3599.6, "1 h 00 m"], [7799, "2 h 10 m"], [NaN, "?"],
  ])("%d seconds read %s", (value, text) => expect(duration(value)).toBe(text)); // prettier-ignore
});
