// The table of a study without what time and machine put in: what has to be the same for any number of workers.
import type { Study } from "../../lib/tune/study/study.js";

export const tableOf = (study: Pick<Study, "records">): unknown[] =>
  study.records.map(({ number, state, params, values, intermediate, error, attempt, parent }) => ({ number, state, params, values, intermediate, error, attempt, parent })); // prettier-ignore

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
