// How much every unit matters: the criterion's scores of all weights that go with it, added up. The sums over slices run in the
// engine; what comes out of it is one number for every place along an axis.
import { ArgumentError, NonFiniteError } from "../../errors.js";
import { Buffer } from "../../nn/index.js";
import { compile } from "../../tensor/compile.js";
import { showShape } from "../../tensor/nd-array.js";
import type { Parameter } from "../../tensor/parameter.js";
import type { Arrays, RunOptions } from "../../tensor/program.js";
import { Tensor } from "../../tensor/tensor.js";
import type { UnitGroup } from "./groups.js";

/** Computes the scores of units, once. */
export interface ScoreJob {
  /** For each group the scores of its units, in order. @throws AbortedError */
  run(options?: RunOptions): Promise<number[][]>;
  /** The same on this thread. */
  runSync(): number[][];
}

/** Parameters whose scores count: statistics and frozen ones do not. */
export function scoredParameters(groups: readonly UnitGroup[]): Parameter[] {
  const members = groups.flatMap((group) => group.members.map(({ parameter }) => parameter));
  return [...new Set(members)].filter(
    (parameter) => !(parameter instanceof Buffer) && parameter.trainable && parameter.dtype === "f32",
  );
}

/** Scores by `scoreOf`, f32 of the parameter's shape in the current trace. */
export function scoreJob(
  where: string,
  groups: readonly UnitGroup[],
  scoreOf: (parameter: Parameter) => Tensor,
  seed: number,
): ScoreJob {
  const axesOf = new Map(scoredParameters(groups).map((parameter) => [parameter, new Set<number>()]));
  for (const { parameter, axis } of groups.flatMap(({ members }) => members)) axesOf.get(parameter)?.add(axis);
  const profiles = [...axesOf].map(([parameter, axes]) => ({ parameter, axes: [...axes] }));
  const sums = compile(
    () =>
      profiles.map(({ parameter, axes }) => {
        const score = checked(where, scoreOf(parameter), parameter);
        return axes.map((axis) => alongAxis(score, axis));
      }),
    { name: where },
  );
  const collect = (results: Arrays) => {
    const profileOf = new Map(
      profiles.map(({ parameter, axes }, i) => [
        parameter,
        new Map(axes.map((axis, j) => [axis, results[`${i}.${j}`]!.data])),
      ]),
    );
    return groups.map((group) => {
      const scores = unitScores(group, (parameter, axis) => profileOf.get(parameter)?.get(axis));
      const strange = scores.findIndex((score) => Number.isNaN(score));
      if (strange < 0) return scores;
      throw new NonFiniteError(
        `${where}: the criterion scores unit ${strange} of "${group.name}" as NaN; check what it computes, and the samples and the loss if it reads gradients or inputs`,
      );
    });
  };
  return {
    async run(options) {
      try {
        return collect(await sums.program().run({}, { ...options, seed }));
      } finally {
        sums.dispose();
      }
    },
    runSync() {
      try {
        return collect(sums.program().runSync({}, { seed }));
      } finally {
        sums.dispose();
      }
    },
  };
}

type Along = (parameter: Parameter, axis: number) => ArrayLike<number> | undefined;

function unitScores({ units }: UnitGroup, along: Along): number[] {
  return units.map(({ slices }) => {
    let sum = 0;
    for (const [parameter, list] of slices) {
      for (const { axis, indices } of list) {
        const profile = along(parameter, axis);
        if (profile) for (const index of indices) sum += profile[index]!;
      }
    }
    return sum;
  });
}

function alongAxis(score: Tensor, axis: number): Tensor {
  const others = score.shape.map((_, other) => other).filter((other) => other !== axis);
  return others.length === 0 ? score : score.sum(others);
}

function checked(where: string, score: unknown, parameter: Parameter): Tensor {
  const wanted = showShape(parameter.shape);
  if (score instanceof Tensor && score.dtype === "f32" && showShape(score.shape) === wanted) return score;
  const got = score instanceof Tensor ? `${score.dtype} ${showShape(score.shape)}` : typeof score;
  throw new ArgumentError(
    `${where}: the criterion must give a score for every weight of "${parameter.name}", f32 ${wanted}, got ${got}`,
  );
}
