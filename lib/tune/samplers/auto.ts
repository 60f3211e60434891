// The choice of a sampler by the space, the budget and the number of objectives.
import { spaceSize } from "../space/index.js";
import { cmaEs } from "./cma-es.js";
import { gp } from "./gp.js";
import { grid } from "./grid.js";
import { nsga2 } from "./nsga2.js";
import type { SampleRequest, Sampler } from "./sampler.js";
import { tpe } from "./tpe.js";

interface Choice {
  readonly sampler: "grid" | "gp" | "tpe" | "cmaEs" | "nsga2";
  readonly why: string;
}

type Facts = Pick<SampleRequest, "space" | "directions" | "budget">;

/** Up to here a Gaussian process learns from every trial. */
const mostForGp = 400;
const mostParametersForGp = 40;

/** What {@link auto} uses, and why. */
export function choiceFor({ space, directions, budget = Infinity }: Facts, number = 0): Choice {
  const size = spaceSize(space);
  const count = space.parameters.length;
  if (size <= budget && size <= 10_000) {
    return { sampler: "grid", why: `all ${size} points of the space fit the budget` };
  }
  if (directions.length > 1) {
    return budget > 2000 && budget < Infinity
      ? { sampler: "nsga2", why: `${directions.length} objectives and a budget of ${budget} trials` }
      : { sampler: "tpe", why: `${directions.length} objectives` };
  }
  const numeric = space.parameters.every(({ distribution: { kind }, conditions }) => {
    return kind !== "choice" && conditions.length === 0;
  });
  if (numeric && budget >= 1000 && budget < Infinity && count > 1) {
    return { sampler: "cmaEs", why: `${count} numeric parameters and a budget of ${budget} trials` };
  }
  if (count > mostParametersForGp) return { sampler: "tpe", why: `${count} parameters` };
  if (budget < Infinity && budget > mostForGp) return { sampler: "tpe", why: `a budget of ${budget} trials` };
  if (number >= mostForGp) return { sampler: "tpe", why: `trial ${number} of a study without a budget` };
  return {
    sampler: "gp",
    why:
      budget < Infinity
        ? `one objective and a budget of ${budget} trials`
        : `one objective; after ${mostForGp} trials tpe`,
  };
}

/**
 * Chooses a sampler by the space, the budget and the number of objectives, and says which: {@link grid} where the budget has room for all
 * points; {@link gp} for one objective and up to 400 trials; {@link cmaEs} for 1,000 and more trials with numbers alone; {@link nsga2} for
 * several objectives and more than 2,000 trials; {@link tpe} for all else.
 *
 * @example
 * const study = await tune({ lr: tune.logUniform(1e-5, 1e-1) }, (_, { params }) => Math.log10(params.lr) ** 2, {
 *   trials: 20, sampler: tune.auto(),
 * });
 * console.log(study.best?.params.lr);
 */
export function auto(): Sampler {
  const samplers = { grid: grid(), gp: gp(), tpe: tpe(), cmaEs: cmaEs(), nsga2: nsga2() };
  return {
    name: "auto",
    sample: (request) => samplers[choiceFor(request, request.number).sampler].sample(request),
    describe(request) {
      const { sampler, why } = choiceFor(request);
      return `tune.auto uses tune.${sampler}(): ${why}`;
    },
  };
}
