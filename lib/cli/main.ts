#!/usr/bin/env node
// The command `athanor`. Results go to standard output, progress, warnings and errors to standard error. Exit status: 0 when done,
// 1 when it failed, 2 when it was called wrongly, 3 when it was done and the model lost more than --max-drop, 130 when interrupted.
import { CommanderError } from "commander";
import { codeOf } from "../errors.js";
import { commands } from "./commands.js";

const interrupted = new AbortController();
process.on("SIGINT", () => {
  if (interrupted.signal.aborted) process.exit(130);
  interrupted.abort(new Error("interrupted"));
  process.stderr.write("\nStopping; nothing half-written stays. Press Ctrl-C again to stop at once.\n");
});

// A reader that has gone (athanor … | head) has what it wanted; a full disk behind `>` is a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`athanor: cannot write the result to standard output: ${error.message}\n`);
  process.exit(1);
});
process.stderr.on("error", () => undefined);

commands(interrupted.signal)
  .parseAsync()
  .catch((thrown: unknown) => {
    process.exitCode = statusOf(thrown);
    if (!(thrown instanceof CommanderError || isAborted(thrown))) {
      process.stderr.write(`athanor: ${messageOf(thrown)}\n`);
    }
  });

const isAborted = (thrown: unknown): boolean => codeOf(thrown) === "ERR_ATHANOR_ABORTED";

function statusOf(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  return isAborted(thrown) || interrupted.signal.aborted ? 130 : 1;
}

// What the system refuses is a sentence; only a fault of Athanor's own shows its stack.
function messageOf(thrown: unknown): string {
  const { message, stack, syscall } = thrown as NodeJS.ErrnoException;
  if (codeOf(thrown) !== undefined) return message;
  return syscall === undefined ? (stack ?? String(thrown)) : message;
}
