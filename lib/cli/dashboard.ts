// athanor dashboard: a page in the browser that shows the studies of a storage while their trials run.
import { Command, InvalidArgumentError } from "commander";
import { serveDashboard } from "../dashboard/index.js";
import type { Context } from "./context.js";
import { count, names, withExamples } from "./options.js";

interface DashboardFlags {
  readonly host: string;
  readonly port: number;
  readonly name?: readonly string[];
}

/** The command `dashboard`. */
export function dashboardCommand({ signal }: Context): Command {
  const command = new Command("dashboard")
    .description("shows the studies of a storage in the browser, as they are and while they go on; it reads only")
    .argument("<storage>", "the path of an SQLite file or a postgres:// address")
    .option("--port <n>", "where it listens; 0 takes any that is free", portNumber, 8080)
    .option("--host <address>", "who can reach it: 127.0.0.1 is this machine alone, 0.0.0.0 everyone", "127.0.0.1")
    .option("--name <names>", "names by which others may call this machine, with commas between", names);
  withExamples(command, "athanor dashboard study.db", "athanor dashboard postgres://search@db/search --port 0");
  return command.action(async (storage: string, { host, port, name = [] }: DashboardFlags) => {
    const dashboard = await serveDashboard(storage, { host, port, names: name });
    if (dashboard.warning !== undefined) process.stderr.write(`athanor: ${dashboard.warning}\n`);
    process.stdout.write(`${dashboard.url}\n`);
    process.stderr.write("Ctrl-C ends it.\n");
    await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true }))); // prettier-ignore
    await dashboard.close();
  });
}

function portNumber(text: string): number {
  const value = count(text);
  if (value < 65_536) return value;
  throw new InvalidArgumentError(`expected a port from 0 to 65535, got "${text}"`);
}
