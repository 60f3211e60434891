// A line a validation or an epoch on standard output, for runs whose output is kept as text.
import { ArgumentError, checkOptions } from "../errors.js";
import type { Logger, LogRecord } from "./logger.js";
import { requireFields } from "../guidance/arguments.js";

/** Options of {@link consoleLines}. */
export interface ConsoleOptions {
  /** Where lines go. Default `process.stdout`. */
  readonly stream?: { write(text: string): unknown } | undefined;
  /** Least seconds between two lines of steps. Default 10. */
  readonly seconds?: number | undefined;
}

/** A line for every epoch and validation, and one of steps now and then. */
export function consoleLines(options: ConsoleOptions = {}): Logger {
  const where = "train.log.console";
  checkOptions(where, options, ["stream", "seconds"]);
  if (options.stream !== undefined)
    requireFields(where, options.stream, ["write"], "stream to be a stream such as process.stderr");
  const { stream = process.stdout, seconds = 10 } = options;
  if (typeof seconds !== "number" || !(seconds >= 0)) {
    throw new ArgumentError(`${where}: seconds must be a number from 0 on, got ${String(seconds)}`);
  }
  let last = -Infinity;
  return {
    name: "console",
    open: () => Promise.resolve(),
    write(records) {
      for (const record of records) {
        if (record.kind === "system") continue;
        if (record.kind === "step") {
          if (record.time - last < seconds * 1e3) continue;
          last = record.time;
        }
        stream.write(lineOf(record));
      }
    },
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function lineOf({ kind, step, epoch, metrics }: LogRecord): string {
  const named = Object.entries(metrics).map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`);
  return [kind.padEnd(10), `epoch ${epoch}`, `step ${step}`, ...named].join("  ") + "\n";
}
