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
  let restore: (() => void) | undefined;
  const line = (state: SearchState): string => lineOf(name, budget, state, leftOf(state));
  const leftOf = ({ ended }: SearchState): number | undefined => {
    const done = ended - (first ?? ended);
    if (budget === null || done <= 0) return undefined;
    return ((performance.now() - begun) / 1000 / done) * Math.max(0, budget - ended);
  };
  const clear = (): string => (drawn ? "\r\x1b[2K" : "");
  const draw = (state: SearchState): void => {
    if (interactive) {
      if (!restore) stream.write("\x1b[?25l");
      restore ??= onExit(() => void stream.write("\x1b[?25h\n"));
      stream.write(`\r\x1b[2K${line(state).slice(0, (stream.columns ?? 80) - 1)}`);
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
      if (latest) draw(latest);
      if (interactive && drawn) stream.write("\n\x1b[?25h");
      restore?.();
    },
  };
}

function lineOf(name: string, budget: number | null, state: SearchState, left: number | undefined): string {
  const { ended, running, pruned, failed, best } = state;
  const parts = [`${name}  ${ended}${budget === null ? "" : `/${budget}`} trials`];
  if (best !== undefined) parts.push(`best ${best}`);
  if (running > 0) parts.push(`${running} running`);
  if (pruned > 0) parts.push(`${pruned} pruned`);
  if (failed > 0) parts.push(`${failed} failed`);
  if (left !== undefined) parts.push(`${duration(left)} left`);
  return parts.join("  ");
}

/** The best value in a few digits. */
export const bestText = (value: number, at: number): string => `${number(value)} (trial ${at})`;
