// The log of a run of `fit`: its folder with run.json, and what the loggers are told.
import { requireCount } from "../../guidance/arguments.js";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { nativeBytes } from "../../native/threads.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import type { Identity } from "../../checkpoint/index.js";
import { jsonLines, readRunFile, surroundings, writeRunFile, type Logger, type LogRecord, type RunFile } from "../../log/index.js"; // prettier-ignore
import type { CheckpointCost } from "./checkpointer.js";
import type { Position } from "./position.js";
import type { EpochRecord, FitResult, StepEvent, ValidationRecord } from "./records.js";

/** Options of a run's log. */
export interface LogOptions {
  /** The folder of the run; run.json in it says what the run is. May be the one of its checkpoints. */
  readonly dir: string;
  /** A record of training every so many steps. Default 10. */
  readonly every?: number | undefined;
  /** Who writes. Default `[train.log.jsonLines()]`. */
  readonly loggers?: readonly Logger[] | undefined;
}

/** Options that have been checked. */
export interface LogPlan {
  readonly dir: string;
  readonly every: number;
  readonly loggers: readonly Logger[];
}

/** @throws ArgumentError */
export function planLog(where: string, given: LogOptions | undefined): LogPlan | undefined {
  if (given === undefined) return undefined;
  const at = `${where}: log`;
  checkOptions(at, given, ["dir", "every", "loggers"]);
  const { dir, every = 10, loggers = [jsonLines()] } = given;
  if (typeof dir !== "string" || dir === "") {
    throw new ArgumentError(`${at}: dir must be the path of a folder, such as "runs/digits", got ${got(dir)}`);
  }
  requireCount(at, "every", every);
  const strange: unknown = Array.isArray(loggers) ? loggers.find((logger) => !isLogger(logger)) : loggers;
  if (strange === undefined) return { dir, every, loggers };
  throw new ArgumentError(
    `${at}: loggers must be a list such as [train.log.jsonLines(), train.log.tensorBoard()], got ${got(strange)}${typeof strange === "function" ? "; call it" : ""}`,
  );
}

const isLogger = (value: unknown): value is Logger =>
  typeof (value as Partial<Logger> | null)?.open === "function" &&
  typeof (value as Partial<Logger> | null)?.write === "function";

/** What a run is, for its file. */
export interface LoggedFacts {
  readonly where: string;
  readonly identity: Identity;
  readonly seed: number;
  readonly parameters: number;
  /** Steps taken by earlier processes. */
  readonly resumed: number | undefined;
}

const systemMs = 5000;

/** Writes the log of one run. */
export class RunLog {
  private readonly plan: LogPlan;
  private readonly delay = monitorEventLoopDelay({ resolution: 10 });
  private file: RunFile | undefined;
  private where = "";
  private system = 0;

  constructor(plan: LogPlan) {
    this.plan = plan;
  }

  /** Begins the log, or goes on with the one of before. @throws FileError */
  async open(facts: LoggedFacts): Promise<void> {
    const { where, identity, seed, resumed, parameters } = facts;
    const { dir, loggers } = this.plan;
    this.where = where;
    const before = resumed === undefined ? undefined : await readRunFile(where, dir);
    const now = new Date().toISOString();
    this.file = {
      format: "athanor-run",
      version: 1,
      status: "running",
      begun: before?.begun ?? now,
      updated: now,
      resumed: [...(before?.resumed ?? []), ...(resumed === undefined ? [] : [{ at: now, step: resumed }])],
      seed,
      options: { ...identity.length, ...identity.options, optimizer: identity.optimizer },
      model: { parameters, layers: identity.model as Readonly<Record<string, string>> },
      data: identity.data,
      ...(await surroundings()),
    };
    await writeRunFile(where, dir, this.file);
    const run = { dir, step: resumed ?? 0, options: plainOf(this.file.options) };
    for (const logger of loggers) await logger.open(run);
    this.delay.enable();
  }

  /** Steps that were taken. */
  steps(events: readonly StepEvent[]): void {
    const { every } = this.plan;
    const due = events.filter(({ index }) => (index + 1) % every === 0);
    if (due.length > 0) {
      const time = Date.now();
      this.write(
        due.map(({ index, epoch, loss, lr, gradNorm, samplesPerSecond }) => {
          const norm = gradNorm === undefined ? {} : { gradNorm };
          return { kind: "step", step: index + 1, epoch, time, metrics: { loss, lr, ...norm, samplesPerSecond } };
        }),
      );
    }
    const last = events.at(-1);
    if (last && performance.now() - this.system >= systemMs) this.writeSystem(last.index + 1, last.epoch);
  }

  validation({ epoch, steps: step, metrics }: ValidationRecord): void {
    this.write([{ kind: "validation", step, epoch, time: Date.now(), metrics: numbersOf(metrics) }]);
  }

  epoch({ epoch, steps: step, metrics, seconds }: EpochRecord): void {
    const all = { ...numbersOf(metrics), seconds };
    this.write([{ kind: "epoch", step, epoch, time: Date.now(), metrics: all }]);
    this.writeSystem(step, epoch);
  }

  /** What the guard has come to: a step was left out, or the run went back and takes steps again. */
  async guarded(met: "skipped" | "rewound" | "diverged", position: Position): Promise<void> {
    const { step, epoch, skipped, spikes, rewound, rate } = position;
    if (met === "rewound") for (const logger of this.plan.loggers) await logger.rewind?.(step);
    const metrics = { "guard.skipped": skipped, "guard.spikes": spikes, "guard.rewound": rewound, "guard.rate": rate };
    this.write([{ kind: "system", step, epoch, time: Date.now(), metrics }]);
  }

  /** What a checkpoint took, in milliseconds. */
  checkpoint(step: number, epoch: number, { waited, copied, written }: CheckpointCost): void {
    const metrics = { "checkpoint.waited": waited, "checkpoint.copied": copied, "checkpoint.written": written };
    this.write([{ kind: "system", step, epoch, time: Date.now(), metrics }]);
  }

  /** Ends the log. @throws FileError where something could not be written */
  async close(status: RunFile["status"], result?: FitResult, error?: unknown): Promise<void> {
    this.delay.disable();
    const told = await Promise.allSettled(this.plan.loggers.map((logger) => logger.close()));
    if (!this.file) return;
    const { best, steps, seconds } = result ?? {};
    await writeRunFile(this.where, this.plan.dir, {
      ...this.file,
      status,
      updated: new Date().toISOString(),
      result: result && { best: best && { ...best, metrics: { ...best.metrics } }, steps, seconds },
      error: error instanceof Error ? error.message : undefined,
    });
    const failed = told.find((each) => each.status === "rejected");
    if (failed) throw failed.reason;
  }

  private write(records: readonly LogRecord[]): void {
    for (const logger of this.plan.loggers) logger.write(records);
  }

  // How long the event loop was held up, and what memory the process takes.
  private writeSystem(step: number, epoch: number): void {
    this.system = performance.now();
    const { delay } = this;
    const metrics = {
      "eventLoopDelay.mean": delay.mean / 1e6,
      "eventLoopDelay.max": delay.max / 1e6,
      residentBytes: process.memoryUsage.rss(),
      nativeBytes: nativeBytes(),
    };
    delay.reset();
    const known = Object.entries(metrics).filter(([, value]) => Number.isFinite(value));
    this.write([{ kind: "system", step, epoch, time: Date.now(), metrics: Object.fromEntries(known) }]);
  }
}

const numbersOf = (metrics: object): Record<string, number> =>
  Object.fromEntries(Object.entries(metrics).filter(([, value]) => typeof value === "number"));

/** Options as plain values, those within others by their path. */
function plainOf(options: Readonly<Record<string, unknown>>, path = ""): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]): [string, string | number | boolean][] => {
      const full = path === "" ? name : `${path}.${name}`;
      if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") return [[full, value]];
      if (value === null || value === undefined || name.startsWith("at step ")) return [];
      if (Array.isArray(value)) return [[full, JSON.stringify(value)]];
      return Object.entries(plainOf(value as Record<string, unknown>, full));
    }),
  );
}

/** How a run that threw is called. */
export function statusOf(thrown: unknown): RunFile["status"] {
  const name = thrown instanceof Error ? thrown.name : "";
  return name === "AbortError" || name === "InterruptedError" ? "interrupted" : "failed";
}
