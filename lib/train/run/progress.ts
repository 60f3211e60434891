// How a run shows that it lives: one redrawn line on a terminal, plain lines now and then elsewhere (a log, CI), or nothing.
// Nothing runs on a timer: a redraw is paid only when a step arrives and the last one is old enough, so a bar costs a
// clock reading a step and never keeps the process alive. The cursor is back on every way out, signals included.

import { requireFields } from "../../guidance/arguments.js";
import { onExit } from "signal-exit";
import { count, duration, number } from "./format.js";

/** Where progress is written: a terminal or any stream. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Options of {@link progress}. */
export interface ProgressOptions {
  /** Steps of the whole run. */
  readonly steps: number;
  /** Epochs of the whole run. Default 1, not shown. */
  readonly epochs?: number;
  /** What is being done, before everything else on the line: the name of the model, say. */
  readonly label?: string;
  /** Write nothing at all. Default false. */
  readonly quiet?: boolean;
  /** Default `process.stderr`. */
  readonly stream?: ProgressStream;
  /** Default whether `stream` is a terminal that can redraw a line (`TERM` is not `dumb`). */
  readonly interactive?: boolean;
  /** Least seconds between redraws, and between plain lines. Default 0.1 and 10. */
  readonly interval?: { readonly redraw?: number; readonly line?: number };
  /** Seconds on a clock that only goes forward. */
  readonly now?: () => number;
}

/** State after a step; `index` and `epoch` count from 0. */
export interface StepProgress {
  readonly index: number;
  readonly epoch: number;
  readonly loss: number;
  readonly lr?: number | undefined;
  readonly samplesPerSecond?: number | undefined;
}

/** Metrics at the end of an epoch, by name (`"loss"`, `"val.loss"`, `"val.accuracy"`); `epoch` counts from 0. */
export interface EpochProgress {
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** A run on display; `stop` (or `using`) ends it, and may be called more than once. */
export interface Progress extends Disposable {
  step(state: StepProgress): void;
  epoch(state: EpochProgress): void;
  /** A line of its own, above the bar. */
  note(text: string): void;
  stop(): void;
}

const silent: Progress = { step() {}, epoch() {}, note() {}, stop() {}, [Symbol.dispose]() {} };

/**
 * Shows a run of `steps` steps: epoch, steps, loss, learning rate, samples per second, time left.
 *
 * @example
 * const bar = progress({ steps: 4690, epochs: 10 });
 * for await (const step of run) bar.step(step);
 * bar.stop();
 */
export function progress(options: ProgressOptions): Progress {
  requireFields("train.progress", options, ["steps", "epochs"], "an object such as { steps: 1000, epochs: 2 }");
  if (options.quiet) return silent;
  const stream: ProgressStream = options.stream ?? process.stderr;
  const interactive = options.interactive ?? (stream.isTTY === true && process.env.TERM !== "dumb");
  return interactive ? bar(options, stream) : lines(options, stream);
}

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const CLEAR_LINE = "\r\x1b[2K";

function bar(options: ProgressOptions, stream: ProgressStream): Progress {
  const now = options.now ?? (() => performance.now() / 1000);
  const redraw = options.interval?.redraw ?? 0.1;
  const started = now();
  const color = !process.env.NO_COLOR;
  let first: number | undefined;
  let latest: StepProgress | undefined;
  let drawnAt = -Infinity;
  let drawn = false;
  let restore: (() => void) | undefined;
  let stopped = false;

  function draw(): void {
    if (!latest || stopped) return;
    if (!restore) {
      stream.write(HIDE_CURSOR);
      restore = onExit(() => void stream.write(`${SHOW_CURSOR}\n`));
    }
    drawnAt = now();
    drawn = true;
    const left = timeLeft(latest.index - first! + 1, options.steps - latest.index - 1, drawnAt - started);
    stream.write(CLEAR_LINE + barLine(options, latest, left, { columns: stream.columns ?? 80, color }));
  }
  function print(text: string): void {
    stream.write(`${drawn ? CLEAR_LINE : ""}${text}\n`);
    drawn = false;
    if (restore) draw();
  }
  function stop(): void {
    draw();
    stopped = true;
    if (!restore) return;
    restore();
    restore = undefined;
    stream.write(`\n${SHOW_CURSOR}`);
  }
  return {
    step(state) {
      first ??= state.index;
      latest = state;
      if (now() - drawnAt >= redraw) draw();
    },
    epoch: (state) => print(epochLine(options, state)),
    note: print,
    stop,
    [Symbol.dispose]: stop,
  };
}

function lines(options: ProgressOptions, stream: ProgressStream): Progress {
  const now = options.now ?? (() => performance.now() / 1000);
  const interval = options.interval?.line ?? 10;
  const started = now();
  let first: number | undefined;
  let writtenAt = started;
  const print = (text: string) => {
    writtenAt = now();
    stream.write(`${text}\n`);
  };
  return {
    step(state) {
      first ??= state.index;
      const elapsed = now() - started;
      if (now() - writtenAt < interval) return;
      const left = timeLeft(state.index - first + 1, options.steps - state.index - 1, elapsed);
      print(
        [...heading(options, state.epoch), `step ${state.index + 1}/${options.steps}`, ...fields(state, left)].join(
          "  ",
        ),
      );
    },
    epoch: (state) => print(epochLine(options, state)),
    note: print,
    stop() {},
    [Symbol.dispose]() {},
  };
}

/** Seconds to the end at the pace so far; `undefined` while there is nothing to judge by. */
function timeLeft(done: number, rest: number, elapsed: number): number | undefined {
  return done > 0 && elapsed > 0 ? (elapsed / done) * Math.max(0, rest) : undefined;
}

function heading(options: ProgressOptions, epoch: number): string[] {
  const { label, epochs = 1 } = options;
  const width = String(epochs).length;
  const place = epochs > 1 ? [`epoch ${String(epoch + 1).padStart(width)}/${epochs}`] : [];
  return label ? [label, ...place] : place;
}

function fields(state: StepProgress, left: number | undefined): string[] {
  const { loss, lr, samplesPerSecond } = state;
  return [
    `loss ${number(loss)}`,
    ...(lr === undefined ? [] : [`lr ${number(lr)}`]),
    ...(samplesPerSecond === undefined ? [] : [`${count(samplesPerSecond)} samples/s`]),
    ...(left === undefined ? [] : [`${duration(left)} left`]),
  ];
}

function epochLine(options: ProgressOptions, { epoch, metrics }: EpochProgress): string {
  const named = Object.entries(metrics).map(([name, value]) => `${name} ${number(value)}`);
  return [...heading(options, epoch), ...named].join("  ");
}

const MOST_CELLS = 30;
const LEAST_CELLS = 8;

/** Heading, bar, steps and the fields that fit the width, in the end without a bar. */
function barLine(
  options: ProgressOptions,
  state: StepProgress,
  left: number | undefined,
  terminal: { columns: number; color: boolean },
): string {
  const done = state.index + 1;
  const before = heading(options, state.epoch).join("  ");
  const steps = `${String(done).padStart(String(options.steps).length)}/${options.steps}`;
  const room = terminal.columns - 1 - (before ? before.length + 2 : 0);
  // From all fields down to none, the least missed first.
  const choices = [
    fields(state, left),
    fields({ ...state, lr: undefined }, left),
    fields({ ...state, lr: undefined, samplesPerSecond: undefined }, left),
    fields({ ...state, lr: undefined, samplesPerSecond: undefined }, undefined),
    [],
  ].map((chosen) => [steps, ...chosen].join("  "));
  const tail = choices.find((text) => LEAST_CELLS + 2 + text.length <= room) ?? steps;
  const cells = Math.min(MOST_CELLS, room - 2 - tail.length);
  const parts = [before, cells >= LEAST_CELLS ? barOf(done / options.steps, cells, terminal.color) : "", tail];
  return parts.filter((part) => part !== "").join("  ");
}

function barOf(share: number, cells: number, color: boolean): string {
  const halves = Math.round(Math.min(1, share) * cells * 2);
  const full = "━".repeat(halves >> 1) + (halves & 1 ? "╸" : "");
  const rest = (color ? "━" : "─").repeat(cells - full.length);
  return color ? `\x1b[36m${full}\x1b[90m${rest}\x1b[0m` : full + rest;
}
