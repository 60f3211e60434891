// What commands print: results on standard output, aligned tables for people or JSON for programs; notes and warnings on standard error.
import { once } from "node:events";

/** Prints a result: as JSON if that is asked for, else as text. */
export function print(json: boolean | undefined, value: unknown, text: () => string): void {
  process.stdout.write(`${json ? JSON.stringify(value, null, 2) : text()}\n`);
}

/** Writes a piece of a long result, and waits where the reader is slower. */
export async function writeOut(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

/** A note to the person in front of the terminal; kept out of results. */
export function say(quiet: boolean | undefined, text: string): void {
  if (!quiet) process.stderr.write(`${text}\n`);
}

/** What is said even if no progress is wanted. */
export function warn(text: string): void {
  process.stderr.write(`athanor: warning: ${text}\n`);
}

/** Ends in exit status 3: the work was done and saved, but the model is worth much less than before. */
export function markCollapsed(): void {
  process.exitCode = 3;
}
