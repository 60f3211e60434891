// How much every unit matters: the criterion's scores of all weights that go with it, added up. The sums over slices run in the
// engine; what comes out of it is one number for every place along an axis.
import { ArgumentError } from "../../errors.js";
import { Statistic } from "../../nn/index.js";
import { uniform } from "../../ops/source.js";
import { compile } from "../../tensor/compile.js";
import type { NdArray } from "../../tensor/nd-array.js";
import type { Parameter } from "../../tensor/parameter.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { UnitGroup } from "./groups.js";

/** What a criterion of units may read of a parameter. */
export interface UnitCriterionInputs {
  readonly weight: Tensor;
  /** Random numbers in [0, 1), by `seed`. */
  readonly random: Tensor;
}

/** A score for every weight, f32 of the parameter's shape; a unit's score is the sum over all that goes with it. */
export type UnitCriterion = (given: UnitCriterionInputs) => Tensor;

/** Scores of weights that were found elsewhere, f32 of the parameter's shape. */
export type WeightScores = ReadonlyMap<Parameter, NdArray>;

/** Sums of scores along one axis of a parameter. */
type Profile = ReadonlyMap<Parameter, ReadonlyMap<number, ArrayLike<number>>>;

/** For each group the scores of its units, in order. Statistics and frozen parameters do not count. */
export function scoresOf(
  where: string,
  groups: readonly UnitGroup[],
  criterion: UnitCriterion,
  options: { readonly seed: number; readonly scores?: WeightScores | undefined },
): number[][] {
  const profile = profileOf(where, groups, criterion, options);
  return groups.map(({ units }) =>
    units.map(({ slices }) => {
      let sum = 0;
      for (const [parameter, list] of slices) {
        for (const { axis, indices } of list) {
          const along = profile.get(parameter)?.get(axis);
          if (along) for (const index of indices) sum += along[index]!;
        }
      }
      return sum;
    }),
  );
}

function profileOf(
  where: string,
  groups: readonly UnitGroup[],
  criterion: UnitCriterion,
  { seed, scores }: { readonly seed: number; readonly scores?: WeightScores | undefined },
): Profile {
  const wanted = new Map<Parameter, Set<number>>();
  for (const { parameter, axis } of groups.flatMap(({ members }) => members)) {
    if (parameter instanceof Statistic || !parameter.trainable || parameter.dtype !== "f32") continue;
    wanted.set(parameter, (wanted.get(parameter) ?? new Set()).add(axis));
  }
  const list = [...wanted];
  const sums = compile(
    (given: readonly Tensor[]) =>
      list.map(([parameter, axes], i) => {
        const score = scores ? given[i]! : scored(where, criterion, parameter);
        return [...axes].map((axis) => alongAxis(score, axis));
      }),
    { name: where },
  );
  try {
    const given = scores ? list.map(([parameter]) => requireScores(where, scores, parameter)) : [];
    const program = sums.program(given);
    const feeds = Object.fromEntries(given.map((values, i) => [`0.${i}`, values]));
    const results = program.runSync(feeds, { seed });
    return new Map(
      list.map(([parameter, axes], i) => [
        parameter,
        new Map([...axes].map((axis, j) => [axis, results[`${i}.${j}`]!.data])),
      ]),
    );
  } finally {
    sums.dispose();
  }
}

function alongAxis(score: Tensor, axis: number): Tensor {
  const others = score.shape.map((_, other) => other).filter((other) => other !== axis);
  return others.length === 0 ? score : score.sum(others);
}

function scored(where: string, criterion: UnitCriterion, parameter: Parameter): Tensor {
  const score = criterion({ weight: parameter.tensor(), random: uniform(parameter.shape) });
  if (String(score.shape) === String(parameter.shape)) return score;
  throw new ArgumentError(
    `${where}: the criterion must give a score for every weight of "${parameter.name}", [${parameter.shape.join(", ")}], got [${score.shape.join(", ")}]`,
  );
}

function requireScores(where: string, scores: WeightScores, parameter: Parameter): NdArray {
  const found = scores.get(parameter);
  if (found && String(found.shape) === String(parameter.shape)) return found;
  throw new ArgumentError(
    `${where}: expected scores of shape [${parameter.shape.join(", ")}] for "${parameter.name}", got ${found ? `[${found.shape.join(", ")}]` : "none"}`,
  );
}
