// Optuna's tables in SQLite, of schema version 12 (Optuna 3.2 to 5).
import type BetterSqlite3 from "better-sqlite3";
import { StorageError } from "../../errors.js";
import { optional } from "../../guidance/optional.js";
import type { Json } from "../space/index.js";
import { emptyTrial, readPython, type OptunaStudy, type OptunaTrial } from "./neutral.js";

interface Value {
  readonly trial_id: number;
  readonly at: number;
  readonly value: number | null;
  readonly kind: string;
}

const newest = 12;
const values: Readonly<Record<string, number>> = { INF_POS: Infinity, INF_NEG: -Infinity, NAN: NaN };
const valueOf = ({ value, kind }: Value): number => (kind === "FINITE" ? value! : (values[kind] ?? NaN));

/** All studies of a file. @throws StorageError for tables of another version. */
export async function readSqlite(path: string): Promise<OptunaStudy[]> {
  const { default: Database } = await optional("tune.fromOptuna", "an SQLite file", ["better-sqlite3"], () => import("better-sqlite3")); // prettier-ignore
  const db = new Database(path, { readonly: true });
  try {
    requireTables(db, path);
    return db.transaction(() => studiesOf(db))();
  } finally {
    db.close();
  }
}

function requireTables(db: BetterSqlite3.Database, path: string): void {
  const has = (table: string, column: string) => db.prepare("SELECT 1 FROM pragma_table_info(?) WHERE name = ?").get(table, column) !== undefined; // prettier-ignore
  if (!has("version_info", "schema_version"))
    throw new StorageError(`tune.fromOptuna: ${path} has no studies of Optuna`);
  const { schema_version: version } = db.prepare("SELECT schema_version FROM version_info").get() as { schema_version: number }; // prettier-ignore
  if (version === newest && has("trial_values", "value_type") && has("trial_intermediate_values", "intermediate_value_type")) return; // prettier-ignore
  const way = version > newest ? "it is newer than what is known here" : "optuna storage upgrade --storage sqlite:///… brings them up to date"; // prettier-ignore
  throw new StorageError(`tune.fromOptuna: ${path} has tables of Optuna's version ${version}, ${newest} with types of values is read; ${way}`); // prettier-ignore
}

function studiesOf(db: BetterSqlite3.Database): OptunaStudy[] {
  const all = <T>(text: string, id: number): T[] => db.prepare<[number], T>(text).all(id);
  const studies = db.prepare<[], { study_id: number; study_name: string }>("SELECT study_id, study_name FROM studies ORDER BY study_id").all(); // prettier-ignore
  return studies.map(({ study_id: id, study_name: name }) => {
    const directions = all<{ direction: string }>("SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", id); // prettier-ignore
    const attributes = all<Attribute>("SELECT key, value_json FROM study_user_attributes WHERE study_id = ?", id);
    const rows = all<{ trial_id: number; number: number; state: OptunaTrial["state"]; datetime_start: string | null; datetime_complete: string | null }>("SELECT trial_id, number, state, datetime_start, datetime_complete FROM trials WHERE study_id = ? ORDER BY number", id); // prettier-ignore
    const trials = new Map(rows.map((row) => [row.trial_id, Object.assign(emptyTrial(row.number), { state: row.state, started: row.datetime_start ?? undefined, ended: row.datetime_complete ?? undefined })])); // prettier-ignore
    const of = (table: string, columns: string) => `SELECT trial_id, ${columns} FROM ${table} JOIN trials USING (trial_id) WHERE trials.study_id = ?`; // prettier-ignore
    for (const row of all<{ trial_id: number; param_name: string; param_value: number; distribution_json: string }>(of("trial_params", "param_name, param_value, distribution_json"), id)) trials.get(row.trial_id)!.params.set(row.param_name, { value: row.param_value, distribution: row.distribution_json }); // prettier-ignore
    for (const row of all<Value>(`${of("trial_values", "objective AS at, value, value_type AS kind")} ORDER BY objective`, id)) trials.get(row.trial_id)!.values = [...(trials.get(row.trial_id)!.values ?? []), valueOf(row)]; // prettier-ignore
    for (const row of all<Value>(of("trial_intermediate_values", "step AS at, intermediate_value AS value, intermediate_value_type AS kind"), id)) trials.get(row.trial_id)!.intermediate.set(row.at, valueOf(row)); // prettier-ignore
    for (const row of all<Attribute & { trial_id: number }>(of("trial_user_attributes", "key, value_json"), id)) Object.assign(trials.get(row.trial_id)!.userAttributes, entryOf(row)); // prettier-ignore
    for (const row of all<Attribute & { trial_id: number }>(of("trial_system_attributes", "key, value_json"), id)) Object.assign(trials.get(row.trial_id)!.systemAttributes, entryOf(row)); // prettier-ignore
    return { name, directions: directions.map(({ direction }) => direction), userAttributes: Object.assign({}, ...attributes.map(entryOf)) as Record<string, Json>, trials: [...trials.values()] }; // prettier-ignore
  });
}

interface Attribute {
  readonly key: string;
  readonly value_json: string;
}

const entryOf = ({ key, value_json: text }: Attribute): Record<string, Json> => ({ [key]: readPython(text) as Json });
