#!/usr/bin/env node
// The command `athanor`. Results go to standard output, progress and errors to standard error. Exit status: 0 when done, 1 when
// it failed, 2 when it was called wrongly, 130 when interrupted.
import { CommanderError } from "commander";
import { AbortedError, AthanorError } from "../errors.js";
import { commands } from "./commands.js";

const interrupted = new AbortController();
process.on("SIGINT", () => {
  if (interrupted.signal.aborted) process.exit(130);
  interrupted.abort(new Error("interrupted"));
  process.stderr.write("\nStopping; nothing half-written stays. Press Ctrl-C again to stop at once.\n");
});

commands(interrupted.signal)
  .parseAsync()
  .catch((thrown: unknown) => {
    if (thrown instanceof CommanderError) {
      process.exitCode = thrown.exitCode === 0 ? 0 : 2;
    } else if (thrown instanceof AbortedError) {
      process.exitCode = 130;
    } else {
      const known = thrown instanceof AthanorError;
      process.stderr.write(`athanor: ${known ? thrown.message : ((thrown as Error).stack ?? String(thrown))}\n`);
      process.exitCode = 1;
    }
  });
