// Logs that last: what a run tells, in its folder.
export { consoleLines as console, type ConsoleOptions } from "./console.js";
export { csv, jsonLines, type FileLoggerOptions } from "./lines.js";
export type { LoggedHistogram, LoggedImage, LoggedRun, Logger, LogRecord } from "./logger.js";
export { readRun, type RunFolder } from "./read-run.js";
export { readRunFile, surroundings, writeRunFile, type RunFile } from "./run-file.js";
export { tensorBoard } from "./tensor-board.js";
