// The search as its user calls it.
import { requireFields } from "../../guidance/arguments.js";
import { hostname } from "node:os";
import { threadId } from "node:worker_threads";
import { AbortedError, ArgumentError, InterruptedError } from "../../errors.js";
import { got } from "../../names/got.js";
import { anyOf } from "../../train/run/cancellation.js";
import { Run } from "../../train/run/run.js";
import { interruption, SignalReason, SignalWatch } from "../../train/run/signals.js";
import { flatten, type ParamsOf, type Space } from "../space/index.js";
import { MemoryStorage } from "../storage/memory.js";
import { openStorage } from "../storage/open.js";
import type { Storage, StudyRecord, StudySpec } from "../storage/storage.js";
import type { FinishedTrial } from "./finished.js";
import { planTune, type TuneOptions, type TunePlan } from "./options.js";
import { pastOf } from "./past.js";
import { searchProgress } from "./progress.js";
import { requireSame } from "./same.js";
import { Search, type Objective } from "./search.js";
import { enqueuedOf, Study } from "./study.js";

/** A search under way: a promise of the study, and an async iterable of the trials that end. */
export type TuneRun<P = Record<string, unknown>> = Run<FinishedTrial<P>, Study<P>>;

/**
 * Searches for the parameters with the best value of an objective. It begins by itself, in the next turn of the event loop; `await` it for the
 * study, iterate over it for the trials as they end, or both; leaving the loop ends it after the trials that run.
 *
 * With the same space, seed and budget the trials are the same, whatever the number of workers and the order in which they end,
 * if the objective gives the same values.
 *
 * @param space parameters by name; `{}` where the objective asks for all of them by `trial.suggest`.
 * @param objective gives a number, or a list of as many as there are directions. May be async.
 * @throws ArgumentError for unknown options and values out of range, at once. The search rejects with what the objective throws (as
 *   `failure` says), AbortedError when the signal fires, InterruptedError for a signal of the system, StorageError, and
 *   ArgumentError where the storage has another study of that name.
 * @example
 * const study = await tune(
 *   { lr: tune.logUniform(1e-4, 1e-1), units: tune.int(8, 64, { step: 8 }) },
 *   async (trial, { params, signal }) => {
 *     const model = nn.sequential(nn.linear(2, params.units), nn.relu(), nn.linear(params.units, 1));
 *     const x = array([0, 0, 0, 1, 1, 0, 1, 1], [4, 2]);
 *     const { history } = await train.fit(model, data.fromArrays({ x, y: array([0, 1, 1, 0], [4, 1]) }), {
 *       loss: loss.mse(), optimizer: optim.adam({ lr: params.lr }), batchSize: 4, epochs: 10, signal,
 *     });
 *     return history.at(-1)!.metrics.loss;
 *   },
 *   { trials: 4 },
 * );
 * console.log(study.best?.params, study.best?.value);
 */
export function search<const S extends Space>(
  space: S,
  objective: Objective<ParamsOf<S>>,
  options: TuneOptions<ParamsOf<S>> = {},
): TuneRun<ParamsOf<S>> {
  const flat = flatten(space);
  const plan = planTune(options as unknown as TuneOptions);
  requireObjective(objective);
  const spec: StudySpec = {
    space: flat,
    directions: plan.directions,
    labels: plan.labels,
    seed: plan.seed,
    mode: plan.mode,
    lag: plan.lag,
    constraints: plan.constraints,
    sampler: named(plan.sampler),
    pruner: named(plan.pruner),
    past: pastOf(flat, plan.directions, options.warmStart),
  };
  const queue = enqueuedOf("tune: enqueue", flat, options.enqueue ?? []);
  const open = async (storage: Storage): Promise<StudyRecord> => {
    const { made, ...record } = await storage.create(plan.name, spec, options.attributes ?? {});
    if (!made) requireSame(record, spec, plan.options.allow ?? []);
    else if (queue.length > 0) await storage.enqueue(record.id, queue);
    // What may differ is this search's; the rest is the study's.
    return made ? record : { ...record, spec: { ...spec, past: record.spec.past } };
  };
  return start(plan, objective as Objective, open) as unknown as TuneRun<ParamsOf<S>>;
}

function requireObjective(objective: unknown): void {
  if (typeof objective === "function") return;
  throw new ArgumentError(
    `tune: expected the objective second, a function such as async (trial, { params }) => loss, got ${got(objective)}`,
  );
}

const named = ({ name, settings }: StudySpec["sampler"]): StudySpec["sampler"] =>
  settings === undefined ? { name } : { name, settings };

/** A search on the study that `open` gives. */
export function start(plan: TunePlan, objective: Objective, open: (storage: Storage) => Promise<StudyRecord>): TuneRun {
  const { options } = plan;
  const leave = new AbortController();
  const run: TuneRun = new Run<FinishedTrial, Study>(
    async (context) => {
      const watch = options.signals === true ? new SignalWatch() : undefined;
      const signal = anyOf(options.signal, watch?.aborts);
      const release = (): void => run.release();
      signal?.addEventListener("abort", release, { once: true });
      const progress = searchProgress(options.progress ?? false, plan.name, plan.budget);
      const isOwn = typeof options.storage === "string";
      const storage = typeof options.storage === "object" ? options.storage : await openStorage(options.storage);
      try {
        const study = await open(storage);
        const said = plan.sampler.describe?.({ ...study.spec, constraints: study.spec.constraints, ...(plan.budget === null ? {} : { budget: plan.budget }) }); // prettier-ignore
        if (said !== undefined) progress.note(said);
        const worker = `${hostname()}-${process.pid}${threadId === 0 ? "" : `-${threadId}`}`;
        const search = new Search({
          plan,
          storage,
          study,
          objective,
          progress,
          worker,
          context,
          signal,
          leave: leave.signal,
        });
        const stopped = await search.run();
        const record = (await storage.find(plan.name)) ?? study;
        return new Study({ record: { ...record, spec: study.spec }, trials: search.view.trials, storage: kept(storage, isOwn), stopped, go: resume }); // prettier-ignore
      } catch (thrown) {
        throw await interrupted(thrown, plan, storage, signal);
      } finally {
        progress.stop();
        watch?.release();
        signal?.removeEventListener("abort", release);
        if (isOwn) await storage.close();
      }
    },
    { onLeave: () => leave.abort() },
  );
  return run;
}

// A storage that the search opened is closed with it; the study opens it again where it is asked for more.
function kept(storage: Storage, isOwn: boolean): Storage {
  return isOwn ? openLater(storage.place) : storage;
}

function openLater(place: string): Storage {
  return new Proxy({ place, delay: 0 } as Storage, {
    get(target, key: keyof Storage) {
      if (key === "place" || key === "delay") return target[key];
      return async (...args: readonly unknown[]) => {
        const storage = await openStorage(place);
        try {
          return await (storage[key] as (...given: readonly unknown[]) => Promise<unknown>)(...args);
        } finally {
          await storage.close();
        }
      };
    },
  });
}

async function interrupted(
  thrown: unknown,
  plan: TunePlan,
  storage: Storage,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  // prettier-ignore
  const reason: unknown = signal?.reason;
  if (!(thrown instanceof AbortedError) || !(reason instanceof SignalReason)) return thrown;
  const isKept = !(storage instanceof MemoryStorage);
  const way = isKept
    ? `; everything is kept: the same call goes on, or tune.load("${storage.place}", "${plan.name}")`
    : "; give storage to keep a study beyond its process";
  const error = await interruption(`tune: ${reason.signal} came${way}`, reason.signal, () => undefined);
  Object.defineProperty(error, "message", { value: `tune: ${reason.signal} came${way}`, configurable: true, writable: true }); // prettier-ignore
  return error satisfies InterruptedError;
}

function resume(study: Study, objective: Objective, options: TuneOptions): TuneRun {
  requireObjective(objective);
  const { spec } = study;
  const { labels, seed, mode, lag, constraints } = spec;
  const plan = planTune({
    direction: spec.directions,
    labels,
    seed,
    mode,
    lag,
    constraints,
    ...options,
    name: study.name,
  });
  const open = async (storage: Storage): Promise<StudyRecord> => {
    const record = await storage.find(study.name);
    if (record === undefined) throw new ArgumentError(`tune: ${storage.place} has no study "${study.name}" any more`);
    const here = { ...spec, sampler: named(plan.sampler), pruner: named(plan.pruner) };
    requireSame(record, here, plan.options.allow ?? []);
    return { ...record, spec: here };
  };
  return start(plan, objective, open);
}

/**
 * Reads a study from its storage: an SQLite file, a `postgres://` address, or a storage that is open.
 *
 * @throws StorageError where the storage cannot be read, ArgumentError where it has no such study; the message lists those that it has.
 * @example
 * const storage = new tune.MemoryStorage();
 * await tune({ x: tune.uniform(0, 1) }, (_, { params }) => params.x, { trials: 3, storage, name: "line" });
 * const study = await tune.load(storage, "line");
 * const more = await study.resume((_, { params }) => params.x as number, { trials: 5 });
 * more.trials.length; // 5
 */
export async function load(storage: Storage | string, name = "study"): Promise<Study> {
  const isOwn = typeof storage === "string";
  if (!isOwn)
    requireFields(
      "tune.load",
      storage,
      ["find", "list"],
      'a path such as "study.db", a postgres:// address, or a storage',
    );
  const opened = isOwn ? await openStorage(storage, { existing: true }) : storage;
  try {
    const record = await opened.find(name);
    if (record === undefined) {
      const known = (await opened.list()).map((study) => `"${study.name}"`).join(", ");
      throw new ArgumentError(
        `tune.load: ${opened.place} has no study "${name}"; it has ${known === "" ? "none" : known}`,
      );
    }
    const { trials } = await opened.changes(record.id, 0);
    return new Study({ record, trials, storage: kept(opened, isOwn), stopped: undefined, go: resume });
  } finally {
    if (isOwn) await opened.close();
  }
}
