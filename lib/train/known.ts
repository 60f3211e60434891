// What a model knows from training on: what the samples say of themselves, what the teacher knew, and what was done.
import { isDeepStrictEqual } from "node:util";
import type { SamplesInfo } from "../data/index.js";
import { ArgumentError } from "../errors.js";
import { addInfo, infoOf, recordStep, type InfoOptions, type ModelInfo } from "../info/index.js";
import { Module, type ModuleLike } from "../nn/index.js";
import { inputOf } from "../tensor/signature.js";
import type { FitPlan } from "./fit-options.js";
import type { FitResult } from "./run/records.js";
import { infoOfData, type RunData } from "./data/run-data.js";

/**
 * Notes what the samples say of themselves. What neither they nor the model say, the model that teaches knows.
 *
 * @throws ArgumentError if samples and model are of two minds about how x is to be read.
 */
export function learnInfo(where: string, model: ModuleLike, data: RunData, teacher: ModelInfo = {}): void {
  const info = infoOfData(data);
  requireOneRule(where, model, info);
  const own = infoOf(model);
  const { task, classes, scores } = info;
  const learned: InfoOptions = {
    task: task ?? own.task ?? teacher.task,
    classes: classes ?? own.classes ?? teacher.classes,
    scores: scores ?? own.scores ?? teacher.scores,
    preprocessing: own.preprocessing ?? info.preprocessing ?? taught(model, teacher),
  };
  addInfo(where, model, learned);
}

/** @throws ArgumentError if samples and model are of two minds about how x is to be read */
export function requireOneRule(where: string, model: ModuleLike, info: SamplesInfo): void {
  const rule = infoOf(model).preprocessing?.x;
  if (info.preprocessing && rule && !isDeepStrictEqual(info.preprocessing, rule)) {
    throw new ArgumentError(
      `${where}: the samples are read by another rule than the model was trained on (${info.preprocessing.kind}; model.info.preprocessing.x tells the model's); read a table with data.csv(file, { label, info: model.info }), other samples with data.fromArrays({ x, y }, { preprocessing: model.info.preprocessing.x })`,
    );
  }
  if (info.preprocessing?.kind === "normalize" && !rule && model instanceof Module && model.preprocesses) {
    throw new ArgumentError(
      `${where}: the samples have a rule by which x is to be read, and the saved model takes x as the numbers they are; give the samples without it: data.fromArrays({ x, y })`,
    );
  }
}

// A model that was trained on numbers as they are must not begin to divide them because its teacher does.
function taught(model: ModuleLike, { preprocessing }: ModelInfo): ModelInfo["preprocessing"] {
  const rule = preprocessing?.x;
  const begun = (model instanceof Module && model.preprocesses) || inputOf(model) !== undefined;
  return rule && (rule.kind === "table" || !begun) ? { x: rule } : undefined;
}

/** Notes that a run was made, and the metrics of the weights that it left. */
export function recordRun(plan: FitPlan, { validations, best, steps, stopped }: FitResult): void {
  const { model, loss, optimizer, batchSize, seed, dataset, distill, stopping } = plan;
  const { name, hyper, clipNorm, clipValue } = optimizer;
  const last = stopping?.restoreBest && best ? best.metrics : validations.at(-1)?.metrics;
  const metrics = Object.entries(last ?? {}).filter(
    ([key, value]) => key !== "loss" && typeof value === "number" && Number.isFinite(value),
  );
  recordStep(
    model,
    distill ? "distill" : "train",
    {
      ...(distill && { distill: distill.name }),
      loss: loss.name,
      optimizer: { name, ...hyper, clipNorm, clipValue },
      batchSize,
      seed,
      steps,
      stopped,
      samples: dataset.length,
    },
    Object.fromEntries(metrics) as Record<string, number>,
  );
}
