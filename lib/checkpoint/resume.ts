// Where a run begins: the checkpoint that it goes on from, and the folder that its own are written to.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ArgumentError, CorruptFileError, FileError } from "../errors.js";
import { Generations, type Generation, type Opened } from "./generations.js";
import type { Resume } from "./options.js";

/** Says what a run has to tell its user while it goes on. */
export function warn(text: string): void {
  process.emitWarning(text, "AthanorWarning");
}

/** What an error says. */
export const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/**
 * The checkpoint that a run goes on from, read; undefined for a run that begins. Damaged ones that are newer are warned of.
 *
 * @param own those of the run's own folder, for "auto".
 * @throws ArgumentError where a path was given and nothing is there; CorruptFileError, FileError, UnsupportedError.
 */
export async function findCheckpoint<Content>(
  where: string,
  own: Generations<Content> | undefined,
  resume: Resume,
): Promise<Opened<Content> | undefined> {
  if (resume === false) return undefined;
  const folder = resume === "auto" ? own! : new Generations<Content>(where, resume);
  if (resume === "auto" || (await folder.list()).length > 0) {
    const found = await folder.newest();
    for (const { message } of found?.damaged ?? []) warn(`${message}; "${found!.opened.path}" is used instead`);
    return found?.opened;
  }
  try {
    return await folder.open(folder.at(resume));
  } catch (thrown) {
    const isDamaged = thrown instanceof CorruptFileError && existsSync(join(resume, "state.json"));
    if (isDamaged || !(thrown instanceof FileError || thrown instanceof CorruptFileError)) throw thrown;
    throw new ArgumentError(
      `${where}: resume: there is no checkpoint at "${resume}"; give the folder that checkpoint.dir named, or "auto"`,
      { cause: thrown },
    );
  }
}

/**
 * Readies a folder for the checkpoints of a run: it can be written, and what does not lead to the run stands aside.
 *
 * @param from the checkpoint that the run goes on from; undefined for a run that begins.
 * @throws FileError where the folder cannot be written.
 */
export async function takeOver(where: string, own: Generations<unknown>, from: Generation | undefined): Promise<void> {
  await own.prepare();
  const aside = await own.setAside(from);
  if (!aside) return;
  const { steps, prefix } = aside;
  const which =
    steps.length === 1
      ? `the checkpoint of step ${steps[0]} stays`
      : `the checkpoints of steps ${steps.join(", ")} stay`;
  const begins = from ? `goes on from step ${from.step}` : "begins anew";
  warn(`${where}: the run ${begins}; ${which} in "${own.dir}" as "${prefix}…", to be removed by hand`);
}
