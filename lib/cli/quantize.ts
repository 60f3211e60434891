// athanor quantize: an artifact with its weights in few bits.
import { Command, InvalidArgumentError, Option } from "commander";
import { load, loadModel, save } from "../artifact/index.js";
import { quantize, type Activations, type Method, type Scheme } from "../quantize/index.js";
import { bytes } from "../report/figures.js";
import type { Context } from "./commands.js";
import { loadData, wholeNumber, withData, type DataOptions } from "./data.js";
import { print, say } from "./output.js";

interface QuantizeOptions extends DataOptions {
  readonly out: string;
  readonly scheme: string;
  readonly group?: number;
  readonly activations: Activations;
  readonly method: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** The command `quantize`. */
export function quantizeCommand(context: Context): Command {
  const command = new Command("quantize")
    .description("holds weights in few bits, and computes with them so")
    .argument("<artifact>", "folder that artifact.save wrote")
    .requiredOption("-o, --out <folder>", "where to save the quantized model")
    .option(
      "-s, --scheme <name>",
      "int8, int4, intN (int3, int5, …), nf4, kmeans, apot, fp8-e4m3, fp8-e5m2",
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
  return withData(command, "what to calibrate on (its first 1,024 samples, or --rows)").action(
    async (path: string, options: QuantizeOptions) => {
      const scheme = schemeOf(options);
      const method = methodOf(options.method);
      const model = await loadModel(path);
      const looks = options.activations === "static" || options.method !== "rtn";
      const calibrate = looks
        ? (await loadData({ ...options, rows: options.rows ?? 1024 }, model.info)).train
        : undefined;
      say(options.quiet, `Quantizing ${path}: ${scheme.name}`);
      await save(await quantize(model, scheme, { method, calibrate, signal: context.signal }), options.out);
      using before = await load(path);
      using after = await load(options.out);
      const ratio = before.bytes / after.bytes;
      print(options.json, { out: options.out, scheme: scheme.name, bytes: after.bytes, ratio }, () => {
        return `${bytes(before.bytes)} became ${bytes(after.bytes)}, ${ratio.toFixed(2)} times smaller; saved as ${options.out}`;
      });
    },
  );
}

function knownScheme(name: string): string {
  if (/^(int[2-8]|nf4|kmeans|apot|fp8-e4m3|fp8-e5m2)$/.test(name)) return name;
  throw new InvalidArgumentError(
    `there is no scheme "${name}"; there are int8, int4, int2 to int7, nf4, kmeans, apot, fp8-e4m3, fp8-e5m2`,
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
