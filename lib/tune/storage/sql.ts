// What both databases have in common: the schema, rows and their trials, and the statements, written once for both.
import { StorageError } from "../../errors.js";
import type { Distribution, Json, Params } from "../space/index.js";
import { isEnded, type Intermediate, type TrialState } from "../study/record.js";
import type { Enqueued, Failure, StoredTrial, StudyRecord, StudySpec } from "./storage.js";

/** Grows with every change of the tables; {@link migrations} has the way from each to the next. */
export const schemaVersion = 3;

/** A row of the table of trials. */
export interface TrialRow {
  readonly number: number;
  readonly state: TrialState;
  readonly params: string;
  readonly fixed: string | null;
  readonly suggested: string | null;
  readonly vals: string | null;
  readonly constraints: string | null;
  readonly error: string | null;
  readonly attributes: string;
  readonly attempt: number;
  readonly losses: number;
  readonly fence: number;
  readonly worker: string | null;
  readonly started: number | null;
  readonly ended: number | null;
  readonly revision: number;
  readonly seen: number | null;
  readonly sampled_at: number | null;
  readonly ended_at: number | null;
  readonly parent: number | null;
}

/** A row of the table of studies. */
export interface StudyRow {
  readonly id: number;
  readonly name: string;
  readonly spec: string;
  readonly attributes: string;
  readonly created: number;
}

/** Columns of a trial, in the order of {@link TrialRow}. */
export const trialColumns =
  "number, state, params, fixed, suggested, vals, constraints, error, attributes, attempt, losses, fence, worker, started, ended, revision, seen, sampled_at, ended_at, parent";

/** JSON with the numbers that it has no words for. */
export const write = (value: unknown): string =>
  isPlain(value) ? JSON.stringify(value) : JSON.stringify(value, named);

const named = (_: string, item: unknown): unknown =>
  typeof item === "number" && !Number.isFinite(item) ? { $number: String(item) } : item;

// JSON takes all of it as it is. A function that is asked for every item makes JSON ten times as slow.
function isPlain(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isPlain);
}

const isNumber = (item: unknown): item is { readonly $number: string } =>
  typeof item === "object" && item !== null && "$number" in item;

/** What {@link write} wrote. */
export const read = (text: string): unknown =>
  text.includes('"$number"')
    ? JSON.parse(text, (_, item: unknown) => (isNumber(item) ? Number(item.$number) : item))
    : JSON.parse(text);

/** A trial from its row and its reports. */
export function trialOf(row: TrialRow, intermediate: readonly Intermediate[]): StoredTrial {
  const { number, state, attempt, losses, fence, revision } = row;
  const trial: Changeable<StoredTrial> = {
    number,
    state,
    params: read(row.params) as Params,
    intermediate,
    attempt,
    losses,
    fence,
    attributes: read(row.attributes) as Record<string, Json>,
    revision,
  };
  // Said once a column: every worker of a study reads every trial.
  if (row.fixed !== null) trial.fixed = read(row.fixed) as Params;
  if (row.suggested !== null) trial.suggested = read(row.suggested) as Record<string, Distribution>;
  if (row.vals !== null) trial.values = read(row.vals) as number[];
  if (row.constraints !== null) trial.constraints = read(row.constraints) as number[];
  if (row.error !== null) trial.error = read(row.error) as Failure;
  if (row.worker !== null) trial.worker = row.worker;
  if (row.started !== null) trial.started = row.started;
  if (row.ended !== null) trial.ended = row.ended;
  if (row.seen !== null) trial.seen = row.seen;
  if (row.sampled_at !== null) trial.sampledAt = row.sampled_at;
  if (row.ended_at !== null) trial.endedAt = row.ended_at;
  if (row.parent !== null) trial.parent = row.parent;
  return trial;
}

type Changeable<T> = { -readonly [K in keyof T]: T[K] };

/** Reports as the databases keep them: step, value; step, value; … in 64 bits each, little-endian. */
export function packReports(reports: readonly Intermediate[]): Buffer {
  const buffer = Buffer.alloc(reports.length * 16);
  for (const [i, { step, value }] of reports.entries()) {
    buffer.writeDoubleLE(step, i * 16);
    buffer.writeDoubleLE(value, i * 16 + 8);
  }
  return buffer;
}

/** What {@link packReports} packed. */
export function unpackReports(buffer: Buffer | null): Intermediate[] {
  if (buffer === null) return [];
  if (buffer.length % 16 !== 0) throw new StorageError("tune: the storage holds reports that are cut short");
  const reports: Intermediate[] = [];
  for (let at = 0; at < buffer.length; at += 16) {
    reports.push({ step: buffer.readDoubleLE(at), value: buffer.readDoubleLE(at + 8) });
  }
  return reports;
}

/** A study from its row. */
export const studyOf = ({ id, name, spec, attributes, created }: StudyRow): StudyRecord => ({
  id,
  name,
  spec: read(spec) as StudySpec,
  created,
  attributes: read(attributes) as Record<string, Json>,
});

/** An enqueued trial from its row. */
export const enqueuedOf = ({
  fixed,
  attributes,
  parent,
}: {
  readonly fixed: string;
  readonly attributes: string;
  readonly parent: number | null;
}): Enqueued => ({
  fixed: read(fixed) as Params,
  attributes: read(attributes) as Record<string, Json>,
  ...(parent === null ? {} : { parent }),
});

export { isEnded };
