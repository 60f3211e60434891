// Studies of Optuna, to go on with here. There every trial asks for its parameters itself; so it is here: the study has no space, and each
// trial the distributions that it asked for.
import { readFile, open } from "node:fs/promises";
import { ArgumentError, checkOptions, StorageError } from "../../errors.js";
import { got } from "../../names/got.js";
import { contains, type Distribution, type Json } from "../space/index.js";
import { MemoryStorage } from "../storage/memory.js";
import { openStorage } from "../storage/open.js";
import type { Outcome, Report, Storage, StudySpec, Ticket } from "../storage/storage.js";
import type { Direction } from "../study/record.js";
import type { Study } from "../study/study.js";
import { load } from "../study/tune.js";
import { readJournal } from "./journal.js";
import { constraintsOf, distributionOf, type OptunaStudy, type OptunaTrial } from "./neutral.js";
import { readSqlite } from "./sqlite.js";

/** Options of {@link fromOptuna}. */
export interface FromOptunaOptions {
  /** Of the study. Default the only one that there is. */
  readonly name?: string;
  /** Where the study is to be kept here, as in `tune`; a study of that name must not be there. Default memory. */
  readonly storage?: Storage | string;
}

const where = "tune.fromOptuna";
const lease = 3600;
const together = 200;

/**
 * Reads a study of Optuna, of its SQLite file (schema version 12, Optuna 3.2 to 5) or its journal file, with all trials: parameters, values, reports,
 * constraints, attributes. `resume` goes on with it by an objective that asks for its parameters (`trial.suggest`), and
 * `warmStart` of `tune` begins a typed space with its trials. Trials that were waiting or running there are done here. Times of
 * trials are attributes (`optuna.started`), since the times of a storage are its own.
 *
 * @throws ArgumentError for a name that is not there, StorageError for files of another kind or version, and for what has no
 *   counterpart: a direction that was never set, steps below 0, as many constraints as trials like.
 * @example
 * const old = await tune.fromOptuna("optuna.db", { name: "digits", storage: "study.db" });
 * const study = await old.resume((trial) => trial.suggest("x", tune.uniform(-2, 2)) ** 2, {
 *   trials: 20, sampler: tune.tpe(), allow: ["sampler", "pruner"],
 * });
 * console.log(study.best?.value);
 */
export async function fromOptuna(path: string, options: FromOptunaOptions = {}): Promise<Study> {
  checkOptions(where, options, ["name", "storage"]);
  const found = chosen(path, await studiesOf(path), options.name);
  const { storage: place = new MemoryStorage() } = options;
  const storage = typeof place === "string" ? await openStorage(place) : place;
  try {
    await write(storage, found);
    return await load(typeof place === "string" ? place : storage, found.name);
  } finally {
    if (typeof place === "string") await storage.close();
  }
}

async function studiesOf(path: string): Promise<OptunaStudy[]> {
  if (typeof path !== "string") throw new ArgumentError(`${where}: expected the path of a file of Optuna, got ${got(path)}`); // prettier-ignore
  const unread = (cause: unknown) => {
    throw new StorageError(`${where}: cannot read ${path} (${(cause as NodeJS.ErrnoException).code})`, { cause });
  };
  const file = await open(path).catch(unread);
  const { buffer } = await file
    .read(Buffer.alloc(16), 0, 16, 0)
    .catch(unread)
    .finally(() => file.close());
  return buffer.toString("latin1") === "SQLite format 3\0" ? readSqlite(path) : readJournal(path, await readFile(path, "utf8")); // prettier-ignore
}

function chosen(path: string, studies: readonly OptunaStudy[], name: string | undefined): OptunaStudy {
  const study = name === undefined && studies.length === 1 ? studies[0] : studies.find((each) => each.name === name);
  if (study !== undefined) return study;
  const known = studies.length === 0 ? "none" : studies.map((each) => `"${each.name}"`).join(", ");
  throw new ArgumentError(`${where}: ${path}: ${name === undefined ? "say which study, { name }" : `there is no study "${name}"`}; it has ${known}`); // prettier-ignore
}

async function write(storage: Storage, study: OptunaStudy): Promise<void> {
  const mapped = study.trials.map((trial) => mapTrial(trial, study.directions.length));
  const counts = new Set(mapped.map(({ outcome }) => outcome?.constraints?.length ?? 0).filter((count) => count > 0));
  if (counts.size > 1) throw new StorageError(`${where}: trials have different numbers of constraints, ${[...counts].join(" and ")}; here all have as many`); // prettier-ignore
  const [constraints = 0] = counts;
  const { made, id } = await storage.create(study.name, specOf(study, constraints), study.userAttributes);
  if (!made) throw new ArgumentError(`${where}: ${storage.place} has a study "${study.name}" already`);
  const unended: (() => Promise<void>)[] = [];
  for (let at = 0; at < mapped.length; at += together) {
    const part = mapped.slice(at, at + together);
    const claims = await Promise.all(part.map(() => storage.claim(id, { worker: "optuna", lease, budget: null, losses: 0 }))); // prettier-ignore
    await Promise.all(
      claims.map(async (claim) => {
        if (claim.kind !== "trial") throw new StorageError(`${where}: ${storage.place} gave no trial; is another at work on it?`); // prettier-ignore
        const { report, outcome } = mapped[claim.ticket.number]!;
        await storage.sampled(claim.ticket, report.params ?? {}, 0);
        if (outcome !== undefined) await storage.finish(claim.ticket, outcome, report);
        else unended.push(() => giveBack(storage, claim.ticket, report));
      }),
    );
  }
  for (const each of unended) await each(); // last: what is given back would be claimed again
}

const giveBack = (storage: Storage, ticket: Ticket, report: Report): Promise<void> => storage.release(ticket, { retry: false, report }); // prettier-ignore

function specOf({ directions }: OptunaStudy, constraints: number): StudySpec {
  const known = directions.map((direction): Direction => {
    if (direction === "MINIMIZE") return "minimize";
    if (direction === "MAXIMIZE") return "maximize";
    throw new StorageError(`${where}: the study has a direction that was never set (${direction})`);
  });
  const labels = known.length === 1 ? ["value"] : known.map((_, i) => `value ${i}`);
  return { space: { parameters: [] }, directions: known, labels, seed: 0, mode: "free", lag: 8, constraints, sampler: { name: "optuna" }, pruner: { name: "optuna" }, past: [] }; // prettier-ignore
}

interface Mapped {
  readonly report: Report;
  /** Undefined for trials that have not ended. */
  readonly outcome: Outcome | undefined;
}

function mapTrial(trial: OptunaTrial, objectives: number): Mapped {
  const { number, started, ended, userAttributes, systemAttributes, intermediate } = trial;
  const suggested: Record<string, Distribution> = {};
  const params: Record<string, number> = {};
  for (const [name, { value, distribution }] of trial.params) {
    suggested[name] = distributionOf(name, distribution);
    if (!contains(suggested[name], value)) throw new StorageError(`${where}: trial ${number}: "${name}" is ${value}, outside of its distribution`); // prettier-ignore
    params[name] = value;
  }
  const reports = [...intermediate].sort(([a], [b]) => a - b).map(([step, value]) => ({ step, value }));
  if (reports.some(({ step }) => step < 0)) throw new StorageError(`${where}: trial ${number} reported a step below 0, which there is not here`); // prettier-ignore
  const attributes: Record<string, Json> = {
    ...userAttributes,
    ...(started === undefined ? {} : { "optuna.started": started }),
    ...(ended === undefined ? {} : { "optuna.ended": ended }),
    ...(systemAttributes.fixed_params === undefined ? {} : { suggest: systemAttributes.fixed_params }),
  };
  return { report: { reports, attributes, params, suggested }, outcome: outcomeOf(trial, objectives) };
}

function outcomeOf({ state, values, systemAttributes, number }: OptunaTrial, objectives: number): Outcome | undefined {
  if (state === "WAITING" || state === "RUNNING") return undefined;
  const held = constraintsOf(systemAttributes);
  const constraints = held.length === 0 ? {} : { constraints: held };
  if (state === "PRUNED") return { state: "pruned", ...constraints };
  if (state === "FAIL") return { state: "failed", error: { name: "Error", message: "the trial failed in Optuna" }, ...constraints }; // prettier-ignore
  if (values?.length !== objectives) throw new StorageError(`${where}: trial ${number} is complete with ${values?.length ?? 0} of ${objectives} values`); // prettier-ignore
  return { state: values.every(Number.isFinite) ? "complete" : "infinite", values, ...constraints };
}
