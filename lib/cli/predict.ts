// athanor predict: raw rows or images in, classes with probabilities or numbers out. Rows are read and answered a chunk at a time.
import { Command, Option } from "commander";
import { load, type LoadedModel } from "../artifact/index.js";
import { ArgumentError } from "../errors.js";
import { percent } from "../report/number-text.js";
import { textTable } from "../tensor/text-table.js";
import { number } from "../train/run/format.js";
import { NdArray } from "../tensor/nd-array.js";
import type { Context } from "./context.js";
import { names, wholeNumber, withExamples } from "./options.js";
import { writeOut } from "./output.js";
import { readInputs, type Chunk } from "./rows.js";

interface PredictOptions {
  readonly format?: "table" | "csv" | "json" | "jsonl";
  readonly top: number;
  readonly missing?: readonly string[];
  readonly delimiter?: string;
}

type Answer = Readonly<Record<string, string | number>>;

/** The command `predict`. */
export function predictCommand(context: Context): Command {
  const command = new Command("predict")
    .description("answers rows of a table (CSV or JSON), or images, with class names and probabilities, or with numbers")
    .argument("<artifact>", "folder that artifact.save or athanor train wrote")
    .argument("[inputs...]", "rows.csv, rows.json, images, or - for CSV or JSON on standard input", ["-"])
    .addOption(new Option("--format <kind>", "how to print (default: a table on a terminal, else csv)").choices(["table", "csv", "json", "jsonl"]))
    .option("--top <n>", "how many classes, the most probable first", wholeNumber, 1)
    .option("--missing <cells>", "what stands for a missing cell beside an empty one: NA,n/a", names)
    .option("--delimiter <character>", "between cells (default: comma, semicolon or tab, as the header has it)"); // prettier-ignore
  withExamples(
    command,
    "athanor predict out/tier rows.csv > answers.csv",
    `echo '{ "age": 41, "city": "Lyon" }' | athanor predict out/tier --format json`,
    "athanor predict out/photos new/*.png --top 3",
  );
  return command.action(async (path: string, inputs: string[], options: PredictOptions) => {
    using model = await load(path);
    const printer = printerOf(options.format ?? (process.stdout.isTTY ? "table" : "csv"));
    let seen = 0;
    for await (const chunk of readInputs(model, inputs, options)) {
      const answers = await answersOf(model, chunk, options.top, context);
      await printer.add(answers.map((answer, i) => ({ ...(chunk.names ? { file: chunk.names[i]! } : { row: seen + i + 1 }), ...answer }))); // prettier-ignore
      seen += answers.length;
    }
    if (seen === 0) throw new ArgumentError(`predict: there are no rows in ${inputs.join(", ")}`);
    await printer.end();
  });
}

async function answersOf(model: LoadedModel, { x }: Chunk, top: number, { signal }: Context): Promise<Answer[]> {
  if (await classifies(model, x, signal)) {
    const ranked = await model.classify(x as NdArray, { top, signal });
    return ranked.map((classes) => Object.assign({}, ...classes.map((one, i) => (i === 0 ? { class: one.class, probability: round(one.probability) } : { [`class ${i + 1}`]: one.class, [`probability ${i + 1}`]: round(one.probability) }))) as Answer); // prettier-ignore
  }
  const given = await model.predict(x, { signal });
  const rows = given.shape[0]!;
  const width = given.size / rows;
  return Array.from({ length: rows }, (_, row) =>
    width === 1
      ? { prediction: given.data[row]! }
      : Object.fromEntries(Array.from({ length: width }, (_, i) => [`prediction ${i + 1}`, given.data[row * width + i]!])),
  ); // prettier-ignore
}

const round = (probability: number): number => Number(probability.toPrecision(6));

// A model that does not say gives classes if it gives several scores.
const kinds = new WeakMap<LoadedModel, boolean>();
async function classifies(model: LoadedModel, x: Chunk["x"], signal: AbortSignal): Promise<boolean> {
  const { task, classes } = model.info;
  const known = classes !== undefined || task === "classification" || (task === "regression" ? false : kinds.get(model)); // prettier-ignore
  if (known !== undefined) return known;
  const { shape } = await model.predict(x, { signal });
  kinds.set(model, shape.length === 2 && shape[1]! > 1);
  return kinds.get(model)!;
}

interface Printer {
  add(answers: readonly Answer[]): Promise<void>;
  end(): Promise<void>;
}

function printerOf(format: NonNullable<PredictOptions["format"]>): Printer {
  if (format === "table") return tablePrinter();
  if (format === "csv") return csvPrinter();
  let [first, open] = [true, ""];
  const lines = format === "jsonl";
  return {
    async add(answers) {
      for (const answer of answers) {
        open = first ? (lines ? "" : "[\n  ") : lines ? "" : ",\n  ";
        await writeOut(`${open}${JSON.stringify(answer)}${lines ? "\n" : ""}`);
        first = false;
      }
    },
    end: () => (lines ? Promise.resolve() : writeOut("\n]\n")),
  };
}

function csvPrinter(): Printer {
  let header = true;
  const line = (cells: readonly (string | number)[]) => `${cells.map((cell) => (/[",\r\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : cell)).join(",")}\n`; // prettier-ignore
  return {
    async add(answers) {
      const head = header && answers[0] ? line(Object.keys(answers[0])) : "";
      header = false;
      await writeOut(head + answers.map((answer) => line(Object.values(answer))).join(""));
    },
    end: () => Promise.resolve(),
  };
}

function tablePrinter(): Printer {
  const all: Answer[] = [];
  return {
    add(answers) {
      all.push(...answers);
      return Promise.resolve();
    },
    end: () => {
      const head = Object.keys(all[0]!);
      const cell = (name: string, value: string | number) => (typeof value === "string" || name === "row" ? String(value) : name.startsWith("probability") ? percent(value) : number(value)); // prettier-ignore
      return writeOut(`${textTable(head, all.map((answer) => head.map((name) => cell(name, answer[name]!))))}\n`); // prettier-ignore
    },
  };
}
