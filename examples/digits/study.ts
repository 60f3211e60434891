// One model of the run: saved, loaded by a fresh process that measures it, and described for the report.
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { artifact, report, train, type data, type nn } from "athanor";

/** Where the run writes, and how it is told to stop or to be silent. */
export interface Study {
  readonly out: string;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
}

/** A model with what is known of how it came to be. */
export interface Made {
  readonly name: string;
  readonly description: string;
  readonly model: nn.Module;
  /** Seconds that it took to train or to compress. */
  readonly seconds: number;
  readonly history?: report.ModelReport["history"];
  /** What it was made from; the report shows its weights behind those of this one. */
  readonly from?: nn.Module;
}

/** Trains a model with progress, and keeps its curves. */
export async function trained(
  study: Study,
  model: nn.Module,
  samples: data.Dataset,
  options: Omit<train.FitOptions, "progress" | "signal">,
): Promise<Pick<Made, "history" | "seconds">> {
  const begun = performance.now();
  const steps: report.StepPoint[] = [];
  const run = train.fit(model, samples, { ...options, progress: !study.quiet, signal: study.signal });
  for await (const { index, loss, lr } of run) steps.push({ step: index, loss, lr });
  const { history } = await run;
  return { history: { steps, epochs: epochPoints(history) }, seconds: (performance.now() - begun) / 1e3 };
}

/** Epochs of a run as the report draws them. */
export function epochPoints(history: readonly train.EpochRecord[]): report.EpochPoint[] {
  return history.map(({ epoch, steps, figures }) => ({
    step: steps - 1,
    epoch,
    figures: Object.fromEntries(
      Object.entries(figures).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
    ),
  }));
}

/** Saves a model, measures it in a process of its own, and describes it. */
export async function studied(study: Study, made: Made): Promise<report.ModelReport> {
  const { name, description, model, seconds, history, from } = made;
  await mkdir(study.out, { recursive: true });
  const path = join(study.out, name);
  await artifact.save(model, path, { metadata: { description } });
  const { figures, confusion, mistakes } = await measure(path);
  return {
    name,
    description,
    summary: { ...figures, seconds },
    ...(history && { history }),
    confusion,
    mistakes,
    layers: await layersOf(model, from),
  };
}

async function layersOf(model: nn.Module, from: nn.Module | undefined): Promise<report.LayerWeights[]> {
  const old = new Map(from?.namedWeights().map(({ name, parameter }) => [name, parameter]));
  const weights = model.namedWeights().filter(({ name }) => name.endsWith("weight"));
  return Promise.all(
    weights.map(async ({ name, parameter }) => {
      const before = old.get(name);
      return {
        name,
        shape: parameter.shape,
        histogram: report.histogram((await parameter.read()).data),
        ...(before && { before: report.histogram((await before.read()).data) }),
      };
    }),
  );
}

interface Measured {
  readonly figures: Omit<report.ModelSummary, "seconds">;
  readonly confusion: NonNullable<report.ModelReport["confusion"]>;
  readonly mistakes: report.Mistake[];
}

// In a fresh process, as a service would: the artifact has to stand on its own.
async function measure(path: string): Promise<Measured> {
  const script = fileURLToPath(new URL("measure.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, path], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const { confusion, mistakes, ...figures } = JSON.parse(stdout) as Measured["figures"] & {
    confusion: Measured["confusion"];
    mistakes: { pixels: number[]; actual: number; predicted: number; probability: number }[];
  };
  return {
    figures,
    confusion,
    mistakes: mistakes.map(({ pixels, ...mistake }) => ({ ...mistake, pixels: Uint8Array.from(pixels) })),
  };
}
