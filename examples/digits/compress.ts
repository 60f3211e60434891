// What becomes of the trained CNN: pruned, quantized, shrunk, and taught to a student of a tenth of its size.
import { distill, prune, quantize, type data, type nn, type train } from "athanor";
import { build, options, recipes, student as studentRecipe, type Recipe } from "./recipes.js";
import { trained, type Made, type Study } from "./study.js";

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

/** The compressed models, one after the other. */
export async function* compressed(study: Study, start: Start): AsyncGenerator<Made> {
  const { cnn, training } = start;
  const { model: masked, ...how } = await pruned(study, start);
  yield {
    name: "pruned",
    description: "nine in ten weights gone, in steps, while it trained",
    from: cnn,
    ...how,
    model: await prune.pack(masked),
  };

  const calibrate = training.take(1024);
  const int8 = quantize.int8({ activations: "static" });
  yield await timed("int8", "weights and activations in 8 bits, scales from 1,024 images", cnn, () =>
    quantize(cnn, int8, { calibrate, signal: study.signal }),
  );
  yield await timed("pruned-int8", "the pruned model in 8 bits", masked, () =>
    quantize(masked, int8, { calibrate, signal: study.signal }),
  );
  yield await timed("int4", "weights in 4 bits, 64 to a scale, rounded by GPTQ", cnn, () =>
    quantize(cnn, quantize.int4({ group: 64 }), { method: quantize.gptq({ calibrate }), signal: study.signal }),
  );
  masked.dispose();
  yield await shrunk(study, start);
  yield await student(study, start, "student", "a twelfth of the size, taught by the CNN", {
    distill: distill.kd({ teacher: cnn, temperature: 4, alpha: 0.7 }),
  });
  yield await student(study, start, "student-alone", "the same student, without a teacher", {});
}

async function timed(
  name: string,
  description: string,
  from: nn.Module,
  make: () => Promise<nn.Module>,
): Promise<Made> {
  const begun = performance.now();
  const model = await make();
  return { name, description, model, from, seconds: (performance.now() - begun) / 1e3 };
}

function fineTune(start: Start, epochs: number, peakRate = 1e-3): ReturnType<typeof options> {
  const tuned: Recipe = { ...recipe, epochs: start.epochs ?? epochs, peakRate };
  return options(tuned, { on: start.validation }, start.seed);
}

async function pruned(study: Study, start: Start): Promise<Pick<Made, "model" | "seconds">> {
  const begun = performance.now();
  const recipe = fineTune(start, 5);
  const steps = recipe.epochs * Math.ceil(start.training.length / recipe.batchSize);
  const model = await prune(start.cnn, {
    amount: 0.9,
    scope: "global",
    schedule: prune.cubic({ steps: Math.floor(0.6 * steps) }),
    during: { data: start.training, ...recipe, progress: !study.quiet, signal: study.signal },
  });
  return { model, seconds: (performance.now() - begun) / 1e3 };
}

async function shrunk(study: Study, start: Start): Promise<Made> {
  const plan = prune.plan(start.cnn, { structured: ["channels", "neurons"], amount: 0.5 });
  if (!study.quiet) console.log(String(plan));
  const model = plan.apply();
  const how = await trained(study, model, start.training, fineTune(start, 4, 2e-3));
  return { name: "shrunk", description: "half of all channels and neurons taken out, then trained on", model, ...how };
}

async function student(
  study: Study,
  start: Start,
  name: string,
  description: string,
  extra: Pick<train.FitOptions, "distill">,
): Promise<Made> {
  const model = build(studentRecipe, start.seed);
  const how = await trained(study, model, start.training, {
    ...fineTune(start, studentRecipe.epochs, studentRecipe.peakRate),
    ...extra,
  });
  return { name, description, model, ...how };
}
