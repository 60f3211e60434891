// A run's folder as it stands: what it is, and what was logged of it so far.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FileError } from "../errors.js";
import { metricsFile, recordOf } from "./lines.js";
import type { LogRecord } from "./logger.js";
import { readRunFile, type RunFile } from "./run-file.js";

/** A run's folder, read. */
export interface RunFolder {
  readonly dir: string;
  readonly file: RunFile;
  /** In the order in which they were written. */
  readonly records: readonly LogRecord[];
}

/** Reads the folder of a run that goes on or has ended. @throws FileError, CorruptFileError */
export async function readRun(where: string, dir: string): Promise<RunFolder> {
  const file = await readRunFile(where, dir);
  if (!file) {
    throw new FileError(
      `${where}: "${dir}" is not the folder of a run, it has no run.json; runs write one with log: { dir }`,
    );
  }
  const text = await readFile(join(dir, metricsFile), "utf8").catch(() => "");
  const records = text.split("\n").flatMap((line) => recordOf(line) ?? []);
  return { dir, file, records };
}
