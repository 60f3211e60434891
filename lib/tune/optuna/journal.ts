// Optuna's journal file: a line of JSON for each change, played back. A trial that has ended takes no more changes, as there.
import { StorageError } from "../../errors.js";
import type { Json } from "../space/index.js";
import { emptyTrial, readPython, type OptunaStudy, type OptunaTrial } from "./neutral.js";

const states = ["RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"] as const;
const directions = ["NOT_SET", "MINIMIZE", "MAXIMIZE"];

interface Line {
  readonly op_code: number;
  readonly study_id?: number;
  readonly trial_id?: number;
  readonly study_name?: string;
  readonly directions?: readonly number[];
  readonly state?: number;
  readonly values?: readonly number[] | null;
  readonly value?: number | null;
  readonly datetime_start?: string | null;
  readonly datetime_complete?: string | null;
  readonly param_name?: string;
  readonly param_value_internal?: number;
  readonly distribution?: string;
  readonly step?: number;
  readonly intermediate_value?: number;
  readonly user_attr?: Record<string, Json>;
  readonly system_attr?: Record<string, Json>;
  readonly distributions?: Record<string, string>;
  readonly params?: Record<string, number>;
  readonly intermediate_values?: Record<string, number>;
  readonly user_attrs?: Record<string, Json>;
  readonly system_attrs?: Record<string, Json>;
}

/** All studies of a journal. @throws StorageError for lines that are not Optuna's. */
export function readJournal(path: string, text: string): OptunaStudy[] {
  const studies: (OptunaStudy | undefined)[] = [];
  const trials: OptunaTrial[] = [];
  const lines = text.split("\n");
  lines.pop(); // what follows the last line's end is nothing, or a line that is being written
  for (const [i, content] of lines.entries()) {
    let line: Line;
    try {
      line = readPython(content) as Line;
    } catch (cause) {
      throw new StorageError(`tune.fromOptuna: ${path}: line ${i + 1} is not of a journal of Optuna`, { cause });
    }
    play(line, studies, trials, `${path}: line ${i + 1}`);
  }
  return studies.filter((study) => study !== undefined);
}

function play(line: Line, studies: (OptunaStudy | undefined)[], trials: OptunaTrial[], where: string): void {
  const study = studies[line.study_id ?? -1];
  const trial = trials[line.trial_id ?? -1];
  const open = trial === undefined || ["COMPLETE", "PRUNED", "FAIL"].includes(trial.state) ? undefined : trial;
  switch (line.op_code) {
    case 0: // a study; of one name there is one
      if (studies.some((other) => other?.name === line.study_name)) return;
      studies.push({ name: line.study_name!, directions: line.directions!.map((code) => directions[code] ?? "NOT_SET"), userAttributes: {}, trials: [] }); // prettier-ignore
      return;
    case 1:
      studies[line.study_id!] = undefined;
      return;
    case 2:
      Object.assign(study?.userAttributes ?? {}, line.user_attr);
      return;
    case 3:
      return; // what a sampler keeps beside a study
    case 4:
      if (study === undefined) return;
      trials.push(created(line, study.trials.length));
      study.trials.push(trials.at(-1)!);
      return;
    case 5:
      open?.params.set(line.param_name!, { value: line.param_value_internal!, distribution: line.distribution! });
      return;
    case 6:
      if (open !== undefined) Object.assign(open, { state: states[line.state!]!, ...(line.values ? { values: line.values } : {}), ...(line.datetime_start ? { started: line.datetime_start } : {}), ...(line.datetime_complete ? { ended: line.datetime_complete } : {}) }); // prettier-ignore
      return;
    case 7:
      open?.intermediate.set(line.step!, line.intermediate_value!);
      return;
    case 8:
      Object.assign(open?.userAttributes ?? {}, line.user_attr);
      return;
    case 9:
      Object.assign(open?.systemAttributes ?? {}, line.system_attr);
      return;
    default:
      throw new StorageError(`tune.fromOptuna: ${where} has an operation ${String(line.op_code)} that is not known here`); // prettier-ignore
  }
}

// A trial may come whole: enqueued, or copied from another study.
function created(line: Line, number: number): OptunaTrial {
  const trial = Object.assign(emptyTrial(number), { state: states[line.state ?? 0]!, started: line.datetime_start ?? undefined, ended: line.datetime_complete ?? undefined, values: line.values ?? (typeof line.value === "number" ? [line.value] : undefined) }); // prettier-ignore
  for (const [name, value] of Object.entries(line.params ?? {})) trial.params.set(name, { value, distribution: line.distributions![name]! }); // prettier-ignore
  for (const [step, value] of Object.entries(line.intermediate_values ?? {})) trial.intermediate.set(Number(step), value); // prettier-ignore
  Object.assign(trial.userAttributes, line.user_attrs);
  Object.assign(trial.systemAttributes, line.system_attrs);
  return trial;
}
