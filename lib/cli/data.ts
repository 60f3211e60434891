// Data sets by name: `mnist`, a table, or a pair of IDX files.
import { InvalidArgumentError, Option, type Command } from "commander";
import { csv, fromArrays, idx, images, mnist, type Dataset, type Table } from "../data/index.js";
import type { ModelInfo } from "../artifact/index.js";
import { ArgumentError } from "../errors.js";

/** Options that name a data set. */
export interface DataOptions {
  readonly data: string;
  readonly label?: string;
  readonly rows?: number;
}

/** A data set in two parts. */
export interface Parts {
  readonly name: string;
  readonly train: Dataset;
  readonly test: Dataset;
}

/** Adds the options that {@link loadData} reads. */
export function withData(command: Command, what: string): Command {
  return command
    .addOption(
      new Option(
        "-d, --data <set>",
        `${what}: mnist, a table.csv (with --label), or images.idx,labels.idx; a fifth of a table or pair is kept for the test`,
      ).default("mnist"),
    )
    .option("--label <column>", "column of the table to predict")
    .option("--rows <n>", "use no more than the first n samples to train or calibrate", wholeNumber);
}

/**
 * Reads the data set; bytes of several dimensions are images, read as value / 255.
 *
 * @param info what is known of the model that it is for: a table is read by its rule.
 * @throws ArgumentError, FileError, CorruptFileError
 */
export async function loadData({ data, label, rows }: DataOptions, info?: ModelInfo): Promise<Parts> {
  const limited = ({ name, train, test }: Parts): Parts => ({
    name,
    train: rows === undefined ? train : train.take(rows),
    test,
  });
  if (data === "mnist") return limited({ name: "mnist", ...(await mnist()) });
  const files = data.split(",");
  if (files.length === 2) {
    const [x, y] = await Promise.all(files.map((file) => idx(file)));
    const samples = { x: x!, y: y! };
    const areImages = samples.x.dtype === "u8" && samples.x.shape.length > 2;
    return limited(cut(data, areImages ? images(samples) : fromArrays(samples)));
  }
  if (label === undefined) {
    throw new ArgumentError(`--data ${data}: say which column of the table is to be predicted, with --label <column>`);
  }
  return limited(cut(data, await csv(data, { label, info })));
}

function cut(name: string, whole: Dataset | Table): Parts {
  const { train, validation } = whole.split({ validation: 0.2 });
  return { name, train, test: validation };
}

/** Reads an option that is a whole number from 1 on. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError(`expected a whole number from 1 on, got "${text}"`);
}

/** Reads an option that is a number. */
export function realNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError(`expected a number, got "${text}"`);
}
