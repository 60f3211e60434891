// The history of a study as arrays of numbers, made once for each trial and kept from one question to the next.
import { spaceSize, type FlatSpace } from "../space/index.js";
import type { Direction, TrialRecord } from "../study/record.js";
import { coordinatesOf, type Coordinates } from "./coordinates.js";
import { KeyCounts, type TakenKeys } from "./distinct.js";
import { keptOf } from "../study/follow.js";
import type { SampleRequest } from "./sampler.js";

// native/tune/request.h: Standing::Tier
const tiers = { complete: 0, pruned: 1, infeasible: 2, infinite: 3, failed: 4 } as const;

/** Ended trials of a study in the order of its history. */
export class TrialTable {
  readonly coordinates: Coordinates;
  /** How many different trials the space has. */
  readonly size: number;
  private readonly directions: readonly Direction[];
  private readonly keyWidth: number;
  private records: TrialRecord[] = [];
  private capacity = 0;
  private rowsBuffer = new Float64Array(0);
  private keysBuffer = new Float64Array(0);
  private tiersBuffer = new Float64Array(0);
  private readonly keyCounts: KeyCounts; // of finite spaces

  constructor(space: FlatSpace, directions: readonly Direction[]) {
    this.directions = directions;
    this.coordinates = coordinatesOf(space);
    this.size = spaceSize(space);
    this.keyWidth = directions.length + 1;
    this.keyCounts = new KeyCounts(space);
  }

  get length(): number {
    return this.records.length;
  }
  get trials(): Float64Array {
    return this.rowsBuffer.subarray(0, this.length * this.coordinates.width);
  }
  get keys(): Float64Array {
    return this.keysBuffer.subarray(0, this.length * this.keyWidth);
  }
  get tiers(): Float64Array {
    return this.tiersBuffer.subarray(0, this.length);
  }

  /** Makes the table that of this history. */
  update(history: readonly TrialRecord[]): void {
    let kept = keptOf(this.records, history);
    while (kept < history.length && kept < this.length && isSame(history[kept]!, this.records[kept]!)) kept++;
    this.records.length = kept;
    this.reserve(history.length);
    for (let i = kept; i < history.length; i++) this.write(history[i]!);
    if (this.size !== Infinity) this.keyCounts.update(history);
  }

  private write(record: TrialRecord): void {
    const i = this.length;
    this.coordinates.encode(record.params, this.rowsBuffer, i * this.coordinates.width);
    this.tiersBuffer[i] = this.standing(record, i * this.keyWidth);
    this.records.push(record);
  }

  // Writes the keys and returns the tier.
  private standing(record: TrialRecord, at: number): number {
    const { state, values, constraints, intermediate } = record;
    const keys = this.keysBuffer.fill(NaN, at, at + this.keyWidth);
    const violation = constraints?.reduce((sum, c) => sum + Math.max(0, c), 0) ?? 0;
    const signed = (value: number, j: number): number => (this.directions[j] === "maximize" ? -value : value);
    if (state === "failed") return tiers.failed;
    if (state === "infinite" || values?.some((value) => !Number.isFinite(value))) return tiers.infinite;
    if (violation > 0) {
      keys[at] = violation;
      if (state === "complete") values?.forEach((value, j) => (keys[at + 1 + j] = signed(value, j)));
      return tiers.infeasible;
    }
    if (state === "complete" && values !== undefined) {
      values.forEach((value, j) => (keys[at + j] = signed(value, j)));
      return tiers.complete;
    }
    const last = intermediate.at(-1);
    if (last === undefined) return tiers.failed;
    keys[at] = -last.step;
    keys[at + 1] = signed(last.value, 0);
    return tiers.pruned;
  }

  /** The keys of all trials tried or being tried; empty where the space has no end. */
  taken(pending: readonly TrialRecord[]): TakenKeys {
    return this.size === Infinity ? nothing : this.keyCounts.with(pending);
  }

  /** The constraints of all trials, `count` a row; NaN where unknown. */
  constraints(count: number): Float64Array {
    const rows = new Float64Array(this.length * count).fill(NaN);
    if (count === 0) return rows;
    this.records.forEach(({ constraints }, i) =>
      constraints?.forEach((c, j) => j < count && (rows[i * count + j] = c)),
    );
    return rows;
  }

  private reserve(count: number): void {
    if (count <= this.capacity) return;
    this.capacity = Math.max(count, 2 * this.capacity, 64);
    this.rowsBuffer = grown(this.rowsBuffer, this.capacity * this.coordinates.width);
    this.keysBuffer = grown(this.keysBuffer, this.capacity * this.keyWidth);
    this.tiersBuffer = grown(this.tiersBuffer, this.capacity);
  }
}

const nothing: TakenKeys = { size: 0, has: () => false };

function grown(old: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const array = new Float64Array(length);
  array.set(old);
  return array;
}

// Storages may read a record anew; what it says of an ended trial is then the same.
function isSame(a: TrialRecord, b: TrialRecord): boolean {
  if (a === b) return true;
  if (a.number !== b.number || a.state !== b.state) return false;
  const sameList = (x: readonly number[] = [], y: readonly number[] = []): boolean =>
    x.length === y.length && x.every((value, i) => Object.is(value, y[i]));
  const names = Object.keys(a.params);
  return (
    sameList(a.values, b.values) &&
    sameList(a.constraints, b.constraints) &&
    names.length === Object.keys(b.params).length &&
    names.every((name) => a.params[name] === b.params[name]) &&
    a.intermediate.length === b.intermediate.length
  );
}

/** Tables of one sampler, by the space and the directions of the study that asks. */
export class TrialTables {
  private readonly tables = new WeakMap<FlatSpace, Map<string, TrialTable>>();

  /** The table of the request's history. */
  of({ space, directions, history }: SampleRequest): TrialTable {
    const key = directions.join();
    const known = this.tables.get(space) ?? new Map<string, TrialTable>();
    this.tables.set(space, known);
    let table = known.get(key);
    if (table === undefined) known.set(key, (table = new TrialTable(space, directions)));
    table.update(history);
    return table;
  }
}
