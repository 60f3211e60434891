// How a criterion gets to its inputs: each is made when it is read, and reading tells what has to be gathered.
import { uniform } from "../ops/source.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { Trace, within } from "../tensor/trace.js";
import type { Criterion, CriterionInputs } from "./criteria.js";
import type { StatisticName } from "./statistics.js";

const statisticNames: readonly StatisticName[] = ["gradient", "gradientSquare", "movement", "inputNorm"];

/** A criterion's inputs for a weight; statistics come from `statistic` when they are read. */
export function criterionInputs(weight: Tensor, statistic: (name: StatisticName) => Tensor): CriterionInputs {
  return {
    weight,
    get gradient() {
      return statistic("gradient");
    },
    get gradientSquare() {
      return statistic("gradientSquare");
    },
    get movement() {
      return statistic("movement");
    },
    get inputNorm() {
      return statistic("inputNorm");
    },
    get random() {
      return uniform(weight.shape);
    },
  };
}

/** What a criterion reads of such parameters, found by letting it read. */
export function statisticsOf(criterion: Criterion, parameters: readonly Parameter[]): ReadonlySet<StatisticName> {
  const read = new Set<StatisticName>();
  const trace = new Trace();
  try {
    within(trace, () => {
      parameters.forEach(({ shape }, i) => {
        const weight = trace.input(`weight${i}`, "f32", shape);
        const note = (name: StatisticName) => {
          read.add(name);
          return weight;
        };
        criterion(criterionInputs(weight, note));
      });
    });
  } finally {
    trace.graph.dispose();
  }
  return new Set(statisticNames.filter((name) => read.has(name)));
}
