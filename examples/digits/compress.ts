// What becomes of the trained CNN: pruned, quantized, shrunk, and taught to a student of a tenth of its size.
import { distill, prune, quantize, type data, type nn, type train } from "athanor";
import { build, options, recipes, student as studentRecipe, type Recipe } from "./recipes.js";
import { keptAs, trained, type Made, type Plan, type Study } from "./study.js";

/** The data of the run, and the model that everything starts from. */
export interface Start {
  readonly cnn: nn.Module;
  readonly training: data.Dataset;
  readonly validation: data.Dataset;
  readonly seed: number;
  /** Epochs of every training here; the recipes' own when left out. */
  readonly epochs?: number | undefined;
}

const recipe = recipes.find(({ name }) => name === "cnn")!;

/** The compressed models to be made, one after the other. */
export interface Compression {
  readonly plans: readonly Plan[];
  dispose(): void;
}

export function compressed(study: Study, start: Start): Compression {
  const { cnn, training } = start;
  const { signal } = study;
  const calibrate = training.take(1024);
  const int8 = quantize.int8({ activations: "static" });
  let masked: nn.Module | undefined; // of the first plan; the third goes on from it
  const plans: Plan[] = [
    {
      name: "pruned",
      description: "nine in ten weights gone, in steps, while it trained",
      from: cnn,
      make: async () => ({ model: await prune.pack((masked = await pruned(study, start))) }),
    },
    {
      name: "int8",
      description: "weights and activations in 8 bits, scales from 1,024 images",
      from: cnn,
      make: async () => ({ model: await quantize(cnn, int8, { calibrate, signal }) }),
    },
    {
      name: "pruned-int8",
      description: "the pruned model in 8 bits",
      from: cnn,
      make: async () => ({ model: await quantize(masked!, int8, { calibrate, signal }) }),
    },
    {
      name: "int4",
      description: "weights in 4 bits, 64 to a scale, rounded by GPTQ",
      from: cnn,
      make: async () => {
        const method = quantize.gptq({ calibrate });
        return { model: await quantize(cnn, quantize.int4({ group: 64 }), { method, signal }) };
      },
    },
    {
      name: "shrunk",
      description: "half of all channels and neurons taken out, then trained on",
      make: () => shrunk(study, start),
    },
    {
      name: "student",
      description: "a twelfth of the size, taught by the CNN",
      make: () =>
        student(study, start, "student", { distill: distill.kd({ teacher: cnn, temperature: 4, alpha: 0.7 }) }),
    },
    {
      name: "student-alone",
      description: "the same student, without a teacher",
      make: () => student(study, start, "student-alone", {}),
    },
  ];
  return { plans, dispose: () => masked?.dispose() };
}

function fineTune(start: Start, epochs: number, peakRate = 1e-3): ReturnType<typeof options> {
  const tuned: Recipe = { ...recipe, epochs: start.epochs ?? epochs, peakRate };
  return options(tuned, { on: start.validation }, start.seed);
}

function pruned(study: Study, start: Start): Promise<nn.Module> {
  const recipe = fineTune(start, 5);
  const steps = recipe.epochs * Math.ceil(start.training.length / recipe.batchSize);
  return prune(start.cnn, {
    amount: 0.9,
    scope: "global",
    schedule: prune.cubic({ steps: Math.floor(0.6 * steps) }),
    during: { data: start.training, ...recipe, progress: !study.quiet, ...keptAs(study, "pruned") },
  });
}

function shrunk(study: Study, start: Start): Promise<Made> {
  const plan = prune.plan(start.cnn, { structured: ["channels", "neurons"], amount: 0.5 });
  if (!study.quiet) console.log(String(plan));
  return trained(study, "shrunk", plan.apply(), start.training, fineTune(start, 4, 2e-3));
}

function student(study: Study, start: Start, name: string, extra: Pick<train.FitOptions, "distill">): Promise<Made> {
  return trained(study, name, build(studentRecipe, start.seed), start.training, {
    ...fineTune(start, studentRecipe.epochs, studentRecipe.peakRate),
    ...extra,
  });
}
