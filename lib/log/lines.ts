// Logs as lines of text: JSON lines and CSV. A run that goes on first takes off the lines of the steps that it takes again.
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkOptions } from "../errors.js";
import { Appender } from "./appender.js";
import type { Logger, LoggedRun, LogRecord } from "./logger.js";
import { requirePath } from "../guidance/arguments.js";

/** Options of {@link jsonLines} and {@link csv}. */
export interface FileLoggerOptions {
  /** Name of the file in the run's folder. */
  readonly file?: string | undefined;
}

/** The file that {@link jsonLines} writes, which reports and the command line read. */
export const metricsFile = "metrics.jsonl";

/**
 * A line of JSON for each record, `metrics.jsonl` in the run's folder: `{ kind, step, epoch, time, …metrics }`. Numbers that JSON has no
 * word for are the texts "NaN", "Infinity" and "-Infinity". A killed process loses at most the last second of them.
 *
 * @example
 * const log = { dir: "runs/digits", loggers: [train.log.jsonLines(), train.log.tensorBoard()] };
 */
export function jsonLines(options: FileLoggerOptions = {}): Logger {
  checkOptions("train.log.jsonLines", options, ["file"]);
  if (options.file !== undefined) requirePath("train.log.jsonLines: file", options.file, "metrics.txt");
  return new LineLogger("jsonLines", options.file ?? metricsFile, jsonOf, (line) => recordOf(line)?.step);
}

/** A line of comma-separated text for each metric, `metrics.csv` in the run's folder: kind, step, epoch, time, name, value. */
export function csv(options: FileLoggerOptions = {}): Logger {
  checkOptions("train.log.csv", options, ["file"]);
  if (options.file !== undefined) requirePath("train.log.csv: file", options.file, "metrics.txt");
  return new LineLogger("csv", options.file ?? "metrics.csv", csvOf, (line) => stepOf(line), "kind,step,epoch,time,name,value\n");
} // prettier-ignore

class LineLogger implements Logger {
  readonly name: string;
  private readonly file: string;
  private readonly render: (record: LogRecord) => string;
  private readonly stepOf: (line: string) => number | undefined;
  private readonly header: string;
  private path = "";
  private appender: Appender | undefined;

  constructor(
    name: string,
    file: string,
    render: (record: LogRecord) => string,
    stepOf: (line: string) => number | undefined,
    header = "",
  ) {
    this.name = name;
    this.file = file;
    this.render = render;
    this.stepOf = stepOf;
    this.header = header;
  }

  async open({ dir, step }: LoggedRun): Promise<void> {
    const path = join(dir, this.file);
    this.path = path;
    const isNew = step === 0 || !(await this.cut(path, step));
    this.appender = new Appender(`train.log.${this.name}`, path);
    await this.appender.open(isNew);
    if (isNew && this.header !== "") this.appender.add(this.header);
  }

  write(records: readonly LogRecord[]): void {
    for (const record of records) this.appender!.add(this.render(record));
  }

  async flush(): Promise<void> {
    await this.appender?.flush();
  }

  async close(): Promise<void> {
    await this.appender?.close();
  }

  async rewind(step: number): Promise<void> {
    await this.appender?.close();
    await this.cut(this.path, step);
    this.appender = new Appender(`train.log.${this.name}`, this.path);
    await this.appender.open();
  }

  // Leaves the lines up to a step, at once or not at all; false where there is no file. A line that a kill cut off goes too.
  private async cut(path: string, step: number): Promise<boolean> {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text === undefined) return false;
    const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n").slice(0, -1); // prettier-ignore
    const kept = lines.filter((line, i) => (i === 0 && this.header !== "") || (this.stepOf(line) ?? Infinity) <= step);
    await writeFile(`${path}.part`, kept.map((line) => `${line}\n`).join(""));
    await rename(`${path}.part`, path);
    return true;
  }
}

const worded = (value: number): number | string => (Number.isFinite(value) ? value : String(value));

function jsonOf({ metrics, ...record }: LogRecord): string {
  const named = Object.entries(metrics).map(([name, value]) => [name, worded(value)]);
  return `${JSON.stringify({ ...record, ...(Object.fromEntries(named) as object) })}\n`;
}

/** A line that {@link jsonLines} wrote; undefined for one that was cut off. */
export function recordOf(line: string): LogRecord | undefined {
  try {
    const { kind, step, epoch, time, ...metrics } = JSON.parse(line) as Omit<LogRecord, "metrics"> & Record<string, unknown>; // prettier-ignore
    if (typeof step !== "number") return undefined;
    const numbers = Object.entries(metrics).map(([name, value]) => [name, Number(value)]);
    return { kind, step, epoch, time, metrics: Object.fromEntries(numbers) as Record<string, number> };
  } catch {
    return undefined;
  }
}

const csvOf = ({ kind, step, epoch, time, metrics }: LogRecord): string =>
  Object.entries(metrics)
    .map(([name, value]) => `${kind},${step},${epoch},${time},${/[",\n]/.test(name) ? JSON.stringify(name) : name},${value}\n`)
    .join(""); // prettier-ignore

function stepOf(line: string): number | undefined {
  const step = Number(line.split(",", 2)[1]);
  return Number.isInteger(step) ? step : undefined;
}
