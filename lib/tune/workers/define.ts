// A search that a module exports, so that worker threads and processes can import it.
import type { ParamsOf, Space } from "../space/index.js";
import type { TuneOptions } from "../study/options.js";
import type { Objective } from "../study/search.js";
import { search, type TuneRun } from "../study/tune.js";

/** What {@link define} makes. */
export interface Definition<S extends Space = Space> {
  readonly space: S;
  readonly objective: Objective<ParamsOf<S>>;
  readonly options: TuneOptions<ParamsOf<S>>;
  /** Runs the search in this process, with some options in the place of its own. */
  run(options?: TuneOptions<ParamsOf<S>>): TuneRun<ParamsOf<S>>;
}

/**
 * A search to be the default export of a module, which `tune.workers` and `athanor tune` run in as many workers as they are asked for.
 *
 * @example
 * const search = tune.define({ x: tune.uniform(-1, 1) }, (_, { params }) => params.x ** 2, { trials: 20 });
 * const study = await search.run({ trials: 5 });
 * study.trials.length; // 5
 */
export function define<const S extends Space>(
  space: S,
  objective: Objective<ParamsOf<S>>,
  options: TuneOptions<ParamsOf<S>> = {},
): Definition<S> {
  return { space, objective, options, run: (more = {}) => search(space, objective, { ...options, ...more }) };
}
