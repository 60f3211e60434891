// athanor quantize: an artifact with its weights in few bits.
import { Command, InvalidArgumentError, Option } from "commander";
import { load, loadModel, save } from "../artifact/index.js";
import { ArgumentError } from "../errors.js";
import { prune } from "../prune/index.js";
import { quantize, type Activations, type Method, type Scheme } from "../quantize/index.js";
import { bytes } from "../report/number-text.js";
import type { Context } from "./context.js";
import { loadData, withData, type DataOptions } from "./data.js";
import { refuseQuantized } from "./held.js";
import { requireOut, wholeNumber, withOut, type OutOptions, withExamples } from "./options.js";
import { print, say } from "./output.js";
import { compared, metricsOf, qualityOf, shortQuality, withMaxDrop } from "./quality.js";

interface QuantizeOptions extends DataOptions, OutOptions {
  readonly scheme: string;
  readonly group?: number;
  readonly activations: Activations;
  readonly method: string;
  readonly maxDrop: number;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** The command `quantize`. */
export function quantizeCommand(context: Context): Command {
  const command = new Command("quantize")
    .description("holds weights in few bits, and computes with them so")
    .argument("<artifact>", "folder that artifact.save wrote");
  withOut(command, "the quantized model")
    .option(
      "-s, --scheme <name>",
      "int8, int4, intN (int3, int5, …), nf4, kmeans, apot, fp8-e4m3, fp8-e5m2, mxfp4",
      knownScheme,
      "int8",
    )
    .option("-g, --group <n>", "inputs that share a scale (int4, nf4)", wholeNumber)
    .addOption(
      new Option(
        "--activations <kind>",
        "what weights are multiplied with: floats, or integers scaled on the fly or ahead",
      )
        .choices(["float", "dynamic", "static"])
        .default("float"),
    )
    .addOption(
      new Option("--method <name>", "how weights are rounded; all but rtn look at samples of --data")
        .choices(["rtn", "gptq", "awq", "smooth-quant", "bias-correction"])
        .default("rtn"),
    )
    .option("-q, --quiet", "no progress")
    .option("--json", "print JSON");
  withMaxDrop(withData(command, "what to calibrate (its first 1,024 samples, or --rows) and to compare on"));
  withExamples(
    command,
    "athanor quantize out/small -o out/tiny --data customers.csv",
    "athanor quantize out/digits -o out/int4 --scheme int4 --method gptq --data mnist",
    "athanor quantize out/model -o out/nf4 --scheme nf4     # without data: nothing is compared",
  );
  return command.action((path: string, options: QuantizeOptions) => run(path, options, context));
}

async function run(path: string, options: QuantizeOptions, { signal }: Context): Promise<void> {
  await requireOut(options, [path]);
  const scheme = schemeOf(options);
  using float = await load(path);
  const looks = options.activations === "static" || options.method !== "rtn";
  if (looks && options.data === undefined) {
    const what = options.activations === "static" ? "--activations static" : `--method ${options.method}`;
    throw new ArgumentError(`quantize: ${what} looks at samples; say which, with --data <set>`);
  }
  const parts = options.data === undefined ? undefined : await loadData("quantize", { ...options, rows: options.rows ?? 1024 }, float); // prettier-ignore
  say(options.quiet, `Quantizing ${path}: ${scheme.name}`);
  const model = prune.unpack(await loadModel(path));
  refuseQuantized("quantize", path, model);
  const small = await quantize(model, scheme, {
    method: methodOf(options.method),
    ...(looks && parts && { calibrate: parts.train }),
    signal,
  });
  const sizeBefore = float.bytes;
  const before = parts && (await qualityOf("quantize", float, parts.test, signal));
  await save(small, options.out);
  using served = await load(options.out);
  const after = parts && (await qualityOf("quantize", served, parts.test, signal));
  if (after) await save(small, options.out, { metrics: metricsOf(after) });
  const way = "Take more bits, a smaller --group, or --method gptq.";
  const comparison = before && after && compared(options.out, before, after, options.maxDrop, way);
  const ratio = sizeBefore / served.bytes;
  const report = quantize.report(small)!;
  const said = { out: options.out, scheme: scheme.name, bytes: served.bytes, ratio, layers: report.layers };
  print(options.json, { ...said, ...comparison }, () =>
    [
      String(report),
      "",
      `${bytes(sizeBefore)} became ${bytes(served.bytes)}, ${ratio.toFixed(2)} times smaller`,
      comparison ? `${shortQuality(comparison.before)} became ${shortQuality(comparison.after)} on the test part` : "Without --data, what it is worth was not compared.", // prettier-ignore
      `saved as ${options.out}`,
    ].join("\n"),
  );
}

function knownScheme(name: string): string {
  if (/^(int[2-8]|nf4|kmeans|apot|fp8-e4m3|fp8-e5m2|mxfp4)$/.test(name)) return name;
  throw new InvalidArgumentError(
    `there is no scheme "${name}"; there are int8, int4, int2 to int7, nf4, kmeans, apot, fp8-e4m3, fp8-e5m2, mxfp4`,
  );
}

function schemeOf({ scheme, group, activations }: QuantizeOptions): Scheme {
  const per = group === undefined ? {} : { per: group };
  switch (scheme) {
    case "int8":
      return quantize.int8({ activations, ...per });
    case "int4":
      return quantize.int4({ activations, group });
    case "nf4":
      return quantize.nf4({ activations, group });
    case "kmeans":
      return quantize.kmeans();
    case "apot":
      return quantize.apot();
    case "fp8-e4m3":
      return quantize.fp8("e4m3");
    case "fp8-e5m2":
      return quantize.fp8("e5m2");
    case "mxfp4":
      return quantize.mxfp4();
    default:
      return quantize.intN(Number(scheme.slice(3)), { activations, ...per });
  }
}

function methodOf(name: string): Method | undefined {
  if (name === "gptq") return quantize.gptq();
  if (name === "awq") return quantize.awq();
  if (name === "smooth-quant") return quantize.smoothQuant();
  if (name === "bias-correction") return quantize.biasCorrection();
  return undefined;
}
