// Data sets by name: `mnist`, a table, a pair of IDX files, or a folder of images. A table is read by the rule of the model that it is
// for; only `train` makes a new one.
import { open, stat } from "node:fs/promises";
import { Option, type Command } from "commander";
import type { ModelInfo, LoadedModel } from "../artifact/index.js";
import { csv, fromArrays, idx, images, mnist, type ColumnOptions, type CsvOptions, type Dataset, type Table } from "../data/index.js"; // prettier-ignore
import { ArgumentError, FileError } from "../errors.js";
import { allocate } from "../tensor/dtype.js";
import { countOf, NdArray } from "../tensor/nd-array.js";
import { imagesInMemory } from "../data/sources/image-folder.js";
import { names, wholeNumber } from "./options.js";

/** Options that name a data set. */
export interface DataOptions {
  readonly data?: string;
  readonly label?: string;
  readonly target?: "class" | "number";
  readonly drop?: readonly string[];
  readonly delimiter?: string;
  readonly missing?: readonly string[];
  readonly rows?: number;
}

/** How `train` is to read the columns of a table. */
export interface ColumnsOptions {
  readonly oneHot?: readonly string[];
  /** Default true. */
  readonly standardize?: boolean;
}

/** A data set in two parts. */
export interface Parts {
  readonly name: string;
  readonly train: Dataset;
  readonly test: Dataset;
  /** The column that is predicted, of a table. */
  readonly label?: string;
}

/** Adds `--data` and the options that {@link loadData} reads. */
export function withData(command: Command, what: string): Command {
  return withTable(command.option("-d, --data <set>", `${what}: ${kinds}`));
}

/** What a data set may be. */
export const kinds =
  "a table.csv, a folder of PNG images with a folder for each class, images.idx,labels.idx, or mnist";

/** Adds the options of {@link loadData} but the data set itself. */
export function withTable(command: Command): Command {
  return command
    .option("-l, --label <column>", "column of the table to predict (default: the one that the model was trained for)")
    .addOption(
      new Option("--target <kind>", "whether the label is a class or a number (default: as the model or the label has it)") // prettier-ignore
        .choices(["class", "number"]),
    )
    .option("--drop <columns>", "columns of the table to leave out: a,b", names)
    .option("--missing <cells>", "what stands for a missing cell beside an empty one: NA,n/a", names)
    .option("--delimiter <character>", "between cells (default: comma, semicolon or tab, as the header has it)")
    .option("--rows <n>", "use no more than the first n samples to train or calibrate", wholeNumber);
}

/**
 * Reads a data set. A fifth of a table, pair or folder, always the same, is the test part.
 *
 * @param model that it is for; `train` has none yet.
 * @param columns how a new model is to read a table.
 * @throws ArgumentError, FileError, CorruptFileError
 */
export async function loadData(where: string, options: DataOptions, model?: LoadedModel, columns?: ColumnsOptions): Promise<Parts> {
  const { data, rows } = options;
  if (data === undefined || data.trim() === "") {
    throw new ArgumentError(`${where}: say which data, with --data <set>: ${kinds}`);
  }
  const { train, ...rest } = await partsOf(where, data, options, model && factsOf(where, model), columns).catch((thrown: unknown) => {
    throw thrown instanceof ArgumentError ? new ArgumentError(asOptions(thrown.message), { cause: thrown }) : thrown;
  });
  return { ...rest, train: rows === undefined ? train : train.take(rows) };
} // prettier-ignore

/** What the library says to write in code, as options of the command line. */
export function asOptions(message: string): string {
  return message
    .replaceAll(
      /missingCells: \["", ("(?:[^"\\]|\\.)*")\]/g,
      (_, cell: string) => `--missing ${JSON.parse(cell) as string}`,
    )
    .replaceAll(
      /columns: \{ ("(?:[^"\\]|\\.)*"): "category" \}/g,
      (_, name: string) => `--one-hot ${JSON.parse(name) as string}`,
    )
    .replaceAll(/target: "(class|number)"/g, "--target $1")
    .replaceAll(", or drop it", ", or leave it out with --drop")
    .replaceAll("; drop it,", "; leave it out with --drop,");
}

/** What is known of the model that data is for. */
interface Facts {
  readonly info: ModelInfo;
  /** Scores that it gives for a sample. */
  readonly width: number;
}

function factsOf(where: string, model: LoadedModel): Facts {
  const { inputs, outputs, info } = model;
  if (inputs.length > 1 || outputs.length > 1) {
    throw new ArgumentError(`${where}: the model has the inputs ${inputs.map(({ name }) => name).join(", ")} and the outputs ${outputs.join(", ")}; the command line takes models with one of each`); // prettier-ignore
  }
  const { dtype, shape } = model.input;
  const zeros = new NdArray(allocate(dtype, countOf(shape)), [1, ...shape], dtype);
  return { info, width: model.predictSync(zeros).shape[1] ?? 1 };
}

async function partsOf(where: string, data: string, options: DataOptions, facts?: Facts, columns?: ColumnsOptions): Promise<Parts> {
  const info = facts?.info;
  if (data === "mnist") return { name: data, ...(await mnist()) };
  const files = data.split(",");
  if (files.length === 2) {
    const [x, y] = await Promise.all(files.map((file) => idx(file)));
    const samples = { x: x!, y: y! };
    const areImages = samples.x.dtype === "u8" && samples.x.shape.length > 2;
    return cut(data, areImages ? images(withChannel(samples)) : fromArrays(samples));
  }
  const found = await stat(data).catch((cause: unknown) => {
    throw new FileError(`${where}: there is no file or folder "${data}"`, { cause });
  });
  if (found.isDirectory()) return cut(data, await imagesInMemory(where, data, info?.classes));
  const label = options.label ?? info?.metadata?.label;
  if (label === undefined) {
    throw new ArgumentError(`${where}: say which column of ${data} is to be predicted, with --label <column>`);
  }
  return { ...cut(data, await tableOf(data, { ...options, label }, facts, columns)), label };
} // prettier-ignore

/** The delimiter that a table's header has. */
export async function delimiterOf(file: string): Promise<string> {
  const handle = await open(file).catch((cause: unknown) => {
    throw new FileError(`cannot read "${file}": ${(cause as Error).message}`, { cause });
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(65_536), 0, 65_536, 0);
    const start = buffer.subarray(0, bytesRead);
    if (start.includes(0)) {
      throw new ArgumentError(`"${file}" is not a table: it holds bytes of zero, as programs, images and archives do`);
    }
    const header = start.toString().split(/\r?\n/, 1)[0]!;
    const counts = [",", ";", "\t"].map((mark) => header.split(mark).length);
    return [",", ";", "\t"][counts.indexOf(Math.max(...counts))]!;
  } finally {
    await handle.close();
  }
}

async function tableOf(file: string, options: DataOptions & { readonly label: string }, facts?: Facts, columns?: ColumnsOptions): Promise<Table> {
  const { label, target, drop = [], missing = [] } = options;
  const read: CsvOptions = {
    label,
    target,
    drop,
    delimiter: options.delimiter ?? (await delimiterOf(file)),
    missingCells: ["", ...missing],
  };
  if (facts) return tableFor(file, read, facts);
  const { oneHot = [], standardize = true } = columns ?? {};
  const table = await csv(file, {
    ...read,
    columns: Object.fromEntries(oneHot.map((name): [string, ColumnOptions] => [name, "category"])),
    numbers: { missing: "median", scale: standardize ? "standard" : "none" },
    categories: { missing: "category", unknown: "ignore" },
  });
  return target === undefined && classesInNumbers(table) ? tableOf(file, { ...options, target: "class" }, facts, columns) : table;
} // prettier-ignore

// Numbers in the label of a model that gives several scores are its classes: 7 is the eighth, also where the table has no 6.
async function tableFor(file: string, read: CsvOptions, { info, width }: Facts): Promise<Table> {
  const table = await csv(file, { ...read, info });
  if (info.classes || info.task || width === 1 || table.classes || read.target === "number") return table;
  const classes = Array.from({ length: width }, (_, i) => String(i));
  return csv(file, { ...read, info: { ...info, classes } });
}

/** Whether numbers of a label stand for classes: few different whole ones, each of them often. */
function classesInNumbers(table: Table): boolean {
  if (table.classes) return false;
  const counts = new Map<number, number>();
  for (const value of table.samples.y.data) {
    if (!Number.isInteger(value)) return false;
    counts.set(value, (counts.get(value) ?? 0) + 1);
    if (counts.size > 20) return false;
  }
  return table.length / counts.size >= 5;
}

function withChannel(samples: { readonly x: Dataset["x"]; readonly y: Dataset["y"] }) {
  const { shape } = samples.x;
  if (shape.length !== 3) return samples;
  const [n, height, width] = shape as [number, number, number];
  return { ...samples, x: samples.x.reshape([n, 1, height, width]) };
}

function cut(name: string, whole: Dataset | Table): Parts {
  if (whole.length < 5) {
    throw new ArgumentError(
      `"${name}" has ${whole.length} ${whole.length === 1 ? "sample" : "samples"}; at least 5 are needed, to keep a fifth for the test`,
    );
  }
  const { train, validation } = whole.split({ validation: 0.2 });
  return { name, train, test: validation };
}
