// How options are read from text, and the check of where a command saves.
import { access, constants, realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { ArgumentError, FileError } from "../errors.js";

/** Reads an option that is a whole number from 1 on. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError(`expected a whole number from 1 on, got "${text}"`);
}

/** Reads an option that is a whole number from 0 on. */
export function count(text: string): number {
  return text === "0" ? 0 : wholeNumber(text);
}

/** Reads an option that is a number. */
export function realNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError(`expected a number, got "${text}"`);
}

/** Reads an option that is a share from 0 to below 1. */
export function share(text: string): number {
  const value = realNumber(text);
  if (value >= 0 && value < 1) return value;
  const way = value >= 1 && value <= 100 ? `; ${value} % is ${value / 100}` : "";
  throw new InvalidArgumentError(`expected a share from 0 to below 1, got "${text}"${way}`);
}

/** Reads an option that lists names, `a,b`; given several times, they add up. */
export function names(text: string, before: readonly string[] = []): string[] {
  const found = text.split(",").map((name) => name.trim()).filter((name) => name !== ""); // prettier-ignore
  if (found.length > 0) return [...before, ...found];
  throw new InvalidArgumentError(`expected names with commas between, got "${text}"`);
}

/** Options of commands that save. */
export interface OutOptions {
  readonly out: string;
  readonly force?: boolean;
}

/** Adds the options of a command that saves a model. */
export function withOut(command: Command, what: string, isRequired = true): Command {
  const [flags, description] = ["-o, --out <folder>", `where to save ${what}`] as const;
  return (isRequired ? command.requiredOption(flags, description) : command.option(flags, description)).option(
    "-f, --force",
    "save over the artifact that the command reads",
  );
}

/**
 * Whether a model may be saved there, before any work is done.
 *
 * @throws ArgumentError for one of the inputs without --force; FileError where nothing can be written.
 */
export async function requireOut({ out, force }: OutOptions, inputs: readonly string[]): Promise<void> {
  const place = await real(out);
  for (const input of inputs) {
    if (force || (await real(input)) !== place) continue;
    throw new ArgumentError(`--out ${out} is what the command reads; give another folder, or --force to replace it`);
  }
  // The nearest folder that is there is where the new one has to be made.
  for (let folder = dirname(resolve(out)); ; folder = dirname(folder)) {
    const refused = await access(folder, constants.W_OK).then(() => undefined, (thrown: unknown) => thrown as NodeJS.ErrnoException); // prettier-ignore
    if (!refused) return;
    if (refused.code === "ENOENT" && dirname(folder) !== folder) continue;
    throw new FileError(`--out ${out}: nothing can be written in "${folder}" (${refused.code})`, { cause: refused });
  }
}

const real = (path: string): Promise<string> => realpath(path).catch(() => resolve(path));

/** Adds examples to a command's help. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`);
}
