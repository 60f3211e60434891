// The report of a run's folder, whether the run goes on or has ended.
import { requirePath } from "../guidance/arguments.js";
import { readRun, type RunFolder } from "../log/index.js";
import type { EpochPoint, RunReport, StepPoint } from "./run-report.js";

const where = "report.fromRun";

/**
 * What the folder of a run tells, as a report: curves of training and validation, what the run is, how it stands.
 *
 * @param dir a folder that `train.fit(…, { log: { dir } })` writes, by `train.log.jsonLines()`.
 * @throws FileError for a folder that is not one; CorruptFileError.
 * @example
 * await report.write("out/report.html", await report.fromRun("runs/digits"));
 */
export async function fromRun(dir: string): Promise<RunReport> {
  requirePath(where, dir, "runs/digits");
  return reportOf(await readRun(where, dir));
}

/** A run's folder as a report. */
export function reportOf({ dir, file, records }: RunFolder): RunReport {
  const steps = records.flatMap(({ kind, step, metrics }): StepPoint[] =>
    kind === "step" && metrics.loss !== undefined
      ? [{ step: step - 1, loss: metrics.loss, ...(metrics.lr !== undefined && { lr: metrics.lr }) }]
      : [],
  );
  const epochs = records.flatMap(({ kind, step, epoch, metrics }): EpochPoint[] => {
    const { seconds: _, ...rest } = metrics;
    return kind === "epoch" ? [{ step: step - 1, epoch, metrics: rest }] : [];
  });
  const { machine, versions, git, model, options, status, error, begun, data } = file;
  const seconds = (file.result?.seconds as number | undefined) ?? elapsed(records);
  const said = [
    `${statusSentence(status, error)} Begun ${begun}.`,
    file.resumed.length > 0 ? `It went on ${file.resumed.length === 1 ? "once" : `${file.resumed.length} times`}, from step ${file.resumed.map(({ step }) => step).join(", ")}.` : "", // prettier-ignore
    git ? `Commit ${git.commit.slice(0, 12)}${git.dirty ? " with changes" : ""}.` : "",
  ];
  const last = epochs.at(-1)?.metrics["val.accuracy"];
  return {
    title: `Run ${dir}`,
    lead: said.filter((sentence) => sentence !== "").join(" "),
    machine: { isa: machine.isa, threads: machine.threads, node: versions.node },
    ...(seconds !== undefined && { seconds }),
    created: new Date().toISOString(),
    models: [
      {
        name: "model",
        description: `${Object.keys(model.layers).length} parameters, seed ${file.seed}, ${(data.samples as number | null) ?? "an unknown number of"} samples, batches of ${String(options.batchSize)}`,
        summary: { parameters: model.parameters, ...(last !== undefined && { accuracy: last }) },
        ...(steps.length + epochs.length > 0 && { history: { steps, epochs } }),
      },
    ],
  };
}

function elapsed(records: RunFolder["records"]): number | undefined {
  const [first, last] = [records[0], records.at(-1)];
  return first && last ? (last.time - first.time) / 1e3 : undefined;
}

function statusSentence(status: RunFolder["file"]["status"], error: string | undefined): string {
  const why = error === undefined ? "" : `: ${error}`;
  const sentences = {
    running: "Goes on, or its process was killed.",
    done: "Came to its end.",
    early: "Ended by early stopping.",
    diverged: "Ended because its metrics went astray.",
    break: "Left by its reader.",
    time: "Ended by maxTime.",
    interrupted: `Interrupted${why}.`,
    failed: `Failed${why}.`,
  };
  return sentences[status];
}
