// What commands print: aligned tables for people, JSON for programs.

/** Prints a result: as JSON if that is asked for, else as text. */
export function print(json: boolean | undefined, value: unknown, text: () => string): void {
  process.stdout.write(`${json ? JSON.stringify(value, null, 2) : text()}\n`);
}

/** A note to the person in front of the terminal; kept out of results. */
export function say(quiet: boolean | undefined, text: string): void {
  if (!quiet) process.stderr.write(`${text}\n`);
}
