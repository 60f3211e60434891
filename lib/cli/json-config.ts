// A training run from a JSON file: the data and the options of `athanor train`, by their names on the command line.
import { readFile } from "node:fs/promises";
import { InvalidArgumentError, type Command } from "commander";
import { ArgumentError, checkOptions, FileError } from "../errors.js";
import { got } from "../names/got.js";
import { settingsOf } from "./config.js";

const where = "train";
const notThere = ["resume", "set", "dryRun"];

/**
 * Puts the options of a JSON file in the place of defaults: what was said on the command line counts more, and `--set` most.
 *
 * @returns the data that it names.
 * @throws FileError, ArgumentError naming the file and the option.
 */
export async function readJsonConfig(path: string, command: Command, set: readonly string[] = []): Promise<string> {
  const config = { ...(await objectIn(path)), ...settingsOf(set) };
  const known = command.options.map((option) => option.attributeName()).filter((name) => !notThere.includes(name));
  checkOptions(`${where}: "${path}"`, config, ["data", ...known]);
  const { data, ...options } = config;
  if (typeof data !== "string") {
    throw new ArgumentError(`${where}: "${path}" must name what to train on: { "data": "customers.csv", "label": "tier", "out": "out/tier" }, got data ${got(data)}`); // prettier-ignore
  }
  for (const [name, value] of Object.entries(options)) {
    if (command.getOptionValueSource(name) === "cli" && !set.some((pair) => pair.startsWith(`${name}=`))) continue;
    command.setOptionValueWithSource(name, asOption(path, command, name, value), "config");
  }
  return data;
}

async function objectIn(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new FileError(`${where}: "${path}" cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  });
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new ArgumentError(`${where}: "${path}" is not JSON: ${(cause as Error).message}`, { cause });
  }
}

// By the option's own reader, so that both say the same of a value that does not fit.
function asOption(path: string, command: Command, name: string, value: unknown): unknown {
  const option = command.options.find((each) => each.attributeName() === name && !each.negate) ?? command.options.find((each) => each.attributeName() === name)!; // prettier-ignore
  const refuse = (what: string) => new ArgumentError(`${where}: "${path}": ${name}: ${what}`);
  const takesValue = option.required || option.optional;
  if (!takesValue) {
    if (typeof value === "boolean") return value;
    throw refuse(`expected true or false, got ${got(value)}`);
  }
  if (typeof value === "boolean" || typeof value === "object" && !Array.isArray(value)) throw refuse(`expected a number or a text, got ${got(value)}`); // prettier-ignore
  const text = Array.isArray(value) ? value.join(",") : `${value as string | number}`;
  try {
    return option.parseArg ? (option.parseArg as (text: string, before: undefined) => unknown)(text, undefined) : text;
  } catch (cause) {
    throw cause instanceof InvalidArgumentError ? refuse(cause.message) : cause;
  }
}
