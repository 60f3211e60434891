// How a search shows that it lives: one redrawn line on a terminal, elsewhere a line now and then and one for every new best trial.
import { onExit } from "signal-exit";
import { duration, number } from "../../train/run/format.js";
import type { ProgressStream } from "../../train/run/progress.js";

/** What is shown. */
export interface SearchState {
  readonly ended: number;
  readonly running: number;
  readonly pruned: number;
  readonly failed: number;
  /** Of the best trial, or the size of the front. */
  readonly best: string | undefined;
}

/** A search on display. */
export interface SearchProgress {
  update(state: SearchState): void;
  note(text: string): void;
  stop(): void;
}

const silent: SearchProgress = { update() {}, note() {}, stop() {} };

/** `shown` as the option `progress`; `budget` null for a search without end. */
export function searchProgress(shown: boolean | ProgressStream, name: string, budget: number | null): SearchProgress {
  if (shown === false) return silent;
  const stream: ProgressStream = shown === true ? process.stderr : shown;
  const interactive = stream.isTTY === true && process.env.TERM !== "dumb";
  const begun = performance.now();
  let first: number | undefined;
  let [writtenAt, drawn, best] = [0, false, undefined as string | undefined];
  let latest: SearchState | undefined;
  let isOver = false;
  let restore: (() => void) | undefined;
  const seconds = (): number => (performance.now() - begun) / 1000;
  const timeOf = ({ ended }: SearchState): string | undefined => {
    const done = ended - (first ?? ended);
    if (isOver) return `in ${duration(seconds())}`;
    if (budget === null || done <= 0 || ended >= budget) return undefined;
    return `${duration((seconds() / done) * (budget - ended))} left`;
  };
  const width = (): number => (interactive ? (stream.columns ?? 80) - 1 : Infinity);
  const line = (state: SearchState): string => lineOf(name, budget, state, timeOf(state), width());
  const clear = (): string => (drawn ? "\r\x1b[2K" : "");
  const draw = (state: SearchState): void => {
    if (interactive) {
      if (!restore) stream.write("\x1b[?25l");
      restore ??= onExit(() => void stream.write("\x1b[?25h\n"));
      stream.write(`\r\x1b[2K${line(state)}`);
      drawn = true;
    } else stream.write(`${line(state)}\n`);
    writtenAt = performance.now();
  };
  return {
    update(state) {
      first ??= state.ended;
      latest = state;
      const isNews = state.best !== best && !interactive;
      best = state.best;
      if (isNews || performance.now() - writtenAt >= (interactive ? 100 : 10_000)) draw(state);
    },
    note(text) {
      stream.write(`${clear()}${text}\n`);
      drawn = false;
    },
    stop() {
      isOver = true;
      if (latest) draw(latest);
      if (interactive && drawn) stream.write("\n\x1b[?25h");
      restore?.();
    },
  };
}

// Where a terminal is narrow, the counts go first: the best value and the estimated end are what is looked for.
function lineOf(
  name: string,
  budget: number | null,
  { ended, running, pruned, failed, best }: SearchState,
  time: string | undefined,
  width: number,
): string {
  const head = [`${name}  ${ended}${budget === null ? "" : `/${budget}`} trials`];
  if (best !== undefined) head.push(`best ${best}`);
  const counts: string[] = [];
  if (running > 0) counts.push(`${running} running`);
  if (pruned > 0) counts.push(`${pruned} pruned`);
  if (failed > 0) counts.push(`${failed} failed`);
  const joined = (): string => [...head, ...counts, ...(time === undefined ? [] : [time])].join("  ");
  while (joined().length > width && counts.length > 0) counts.pop();
  return joined().slice(0, width);
}

/** The best value in a few digits. */
export const bestText = (value: number, at: number): string => `${number(value)} (trial ${at})`;
