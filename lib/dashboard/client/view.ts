// What a part of the page is made of.
import type { Store } from "./store.js";

/** What parts are given. */
export interface Context {
  readonly store: Store;
  /** Which of several values. */
  readonly objective: number;
  /** Asks the server about this study. */
  readonly ask: <T>(what: string, query?: Readonly<Record<string, string>>) => Promise<T>;
  /** A trial in a few lines. */
  readonly say: (number: number) => string;
  /** Shows all of a trial. */
  readonly open: (number: number) => void;
}

/** A part of the page. */
export interface View {
  readonly element: HTMLElement;
  /** Draws what the store has now. */
  draw(): void;
  close(): void;
}
