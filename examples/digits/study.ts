// The models of the run: made under a heading of their own, saved, and described for the report. What they reach and how fast they are
// is measured at the end, by a fresh process that loads all of them.
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
  /** Where every training keeps its state and its log, in a folder of its own; undefined for nowhere. */
  readonly runs?: string | undefined;
  /** Whether trainings go on from what is there. */
  readonly resume: boolean;
}

/** How the training of a model is kept, gone on with and ended: by Ctrl-C with a checkpoint, where checkpoints are kept. */
export function keptAs(
  { runs, resume, signal }: Study,
  name: string,
): Pick<train.FitOptions, "checkpoint" | "resume" | "signals" | "signal" | "log"> {
  if (runs === undefined) return { signal };
  const dir = join(runs, name);
  return {
    checkpoint: { dir, every: "epoch", keep: 1, best: false },
    log: { dir, every: 1 },
    resume: resume && "auto",
    signals: true,
  };
}

/** A model that is about to be made. */
export interface Plan {
  readonly name: string;
  readonly description: string;
  /** What it is made from; the report shows its weights behind those of the new one. */
  readonly from?: nn.Module;
  make(): Promise<Made>;
}

/** A model that was made. */
export interface Made {
  readonly model: nn.Module;
  readonly history?: report.ModelReport["history"];
}

/** Trains a model with progress, and keeps its curves. */
export async function trained(
  study: Study,
  name: string,
  model: nn.Module,
  samples: data.Dataset,
  options: Omit<train.FitOptions, "progress" | "signal">,
): Promise<Made> {
  const steps: report.StepPoint[] = [];
  const run = train.fit(model, samples, { ...options, progress: !study.quiet, ...keptAs(study, name) });
  for await (const { index, loss, lr } of run) steps.push({ step: index, loss, lr });
  const { history, resumed } = await run;
  if (resumed !== undefined) steps.splice(0, Infinity, ...(await loggedSteps(join(study.runs!, name))));
  return { model, history: { steps, epochs: epochPoints(history) } };
}

// The steps of earlier processes are in the log of the run.
async function loggedSteps(dir: string): Promise<report.StepPoint[]> {
  const { records } = await train.log.readRun("digits", dir);
  return records
    .filter(({ kind }) => kind === "step")
    .map(({ step, metrics }) => ({ step: step - 1, loss: metrics.loss!, lr: metrics.lr! }));
}

function epochPoints(history: readonly train.EpochRecord[]): report.EpochPoint[] {
  return history.map(({ epoch, steps, metrics }) => ({
    step: steps - 1,
    epoch,
    metrics: Object.fromEntries(
      Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
    ),
  }));
}

/** Makes a model under a heading, saves it, and describes all but what is measured. */
export async function studied(study: Study, plan: Plan): Promise<{ model: nn.Module; report: report.ModelReport }> {
  const { name, description, from } = plan;
  if (!study.quiet) console.log(`\n${name}: ${description}`);
  const begun = performance.now();
  const { model, history } = await plan.make();
  const seconds = (performance.now() - begun) / 1e3;
  await mkdir(study.out, { recursive: true });
  const path = join(study.out, name);
  await artifact.save(model, path, { metadata: { description } });
  if (!study.quiet) console.log(`${seconds.toFixed(1)} s; saved as ${path}`);
  const layers = await layersOf(model, from);
  return { model, report: { name, description, summary: { seconds }, ...(history && { history }), layers } };
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

/** What measure.ts prints of each model. */
interface Measured {
  readonly name: string;
  readonly summary: report.ModelSummary;
  readonly confusion: NonNullable<report.ModelReport["confusion"]>;
  readonly mistakes: { pixels: number[]; actual: number; predicted: number; probability: number }[];
}

/**
 * Adds what a fresh process finds out, as a service would: the artifacts have to stand on their own.
 *
 * @param reference what the times of the others are compared with; undefined to time none.
 */
export async function measured(
  study: Study,
  models: readonly report.ModelReport[],
  reference: string | undefined,
): Promise<report.ModelReport[]> {
  const script = fileURLToPath(new URL("measure.ts", import.meta.url));
  const names = models.map(({ name }) => name);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", script, study.out, reference ?? "none", ...names],
    { maxBuffer: 256 * 1024 * 1024, signal: study.signal },
  );
  const found = new Map((JSON.parse(stdout) as Measured[]).map((each) => [each.name, each]));
  return models.map((model) => {
    const { summary, confusion, mistakes } = found.get(model.name)!;
    return {
      ...model,
      summary: { ...summary, ...model.summary },
      confusion,
      mistakes: mistakes.map(({ pixels, ...mistake }) => ({ ...mistake, pixels: Uint8Array.from(pixels) })),
    };
  });
}
