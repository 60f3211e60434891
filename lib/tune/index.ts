// Search over hyper-parameters: `tune` of the package, a function with its parts as properties.
import * as analysis from "./analysis/index.js";
import { fromOptuna } from "./optuna/index.js";
import * as pruners from "./pruners/index.js";
import * as samplers from "./samplers/index.js";
import { choice, int, logUniform, uniform, when } from "./space/index.js";
import { MemoryStorage } from "./storage/memory.js";
import { openStorage } from "./storage/open.js";
import { PostgresStorage } from "./storage/postgres.js";
import { SqliteStorage } from "./storage/sqlite.js";
import { replay } from "./study/replay.js";
import { load, search } from "./study/tune.js";
import { define } from "./workers/define.js";
import { workers } from "./workers/run.js";

/** Searches for the best parameters; see {@link search}. Distributions, samplers, pruners and storages are its properties. */
export const tune = Object.assign(search, {
  load,
  fromOptuna,
  replay,
  define,
  workers,
  // Distributions
  uniform,
  logUniform,
  int,
  choice,
  when,
  // All that samplers/index.ts and pruners/index.ts export
  ...samplers,
  ...pruners,
  // What a study says: importance of parameters, hypervolume of its front
  ...analysis,
  // Storages
  MemoryStorage,
  SqliteStorage,
  PostgresStorage,
  openStorage,
});

export type * from "./analysis/index.js";
export type { FromOptunaOptions } from "./optuna/index.js";
export type * from "./pruners/index.js";
export type * from "./samplers/index.js";
export type { Distribution, FlatSpace, Params, ParamsOf, Space } from "./space/index.js";
export type { Storage } from "./storage/storage.js";
export type { FinishedTrial } from "./study/finished.js";
export type { FailurePolicy, TuneOptions } from "./study/options.js";
export type { Replay } from "./study/replay.js";
export type { Direction, Intermediate, TrialRecord, TrialState } from "./study/record.js";
export type { Objective, Stopped } from "./study/search.js";
export type { Study } from "./study/study.js";
export type { Trial } from "./study/trial.js";
export type { TuneRun } from "./study/tune.js";
export type { Definition } from "./workers/define.js";
export type { WorkersOptions } from "./workers/run.js";
