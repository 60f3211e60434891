// What quantization did to each layer, and what it left out because there was nothing to go by or it did not help.
import type { Module } from "../nn/index.js";
import { alignedRows } from "../tensor/text-table.js";

/** What was done to one weight. */
export interface LayerReport {
  /** Of the weight, such as "0.weight". */
  readonly name: string;
  /** The scheme in words, as `describeScheme` says it. */
  readonly scheme: string;
  /** Methods that had a part in what was kept, such as ["awq", "gptq"]; none: the weight is rounded to nearest. */
  readonly methods: readonly string[];
  /** Squared error of the layer's result over calibration, relative to the result's square; undefined where no method ran. */
  readonly error?: number | undefined;
  /** The same for rounding to nearest. */
  readonly plainError?: number | undefined;
  /** Sentences: what was left out, and why. */
  readonly notes: readonly string[];
}

/** What `quantize` did; `toString()` is a table with the notes below it. */
export class QuantizeReport {
  readonly layers: readonly LayerReport[];

  constructor(layers: readonly LayerReport[]) {
    this.layers = layers;
  }

  /** All notes, each with its layer's name before it. */
  get notes(): string[] {
    return this.layers.flatMap(({ name, notes }) => notes.map((note) => `${name}: ${note}`));
  }

  toString(): string {
    const shown = (error: number | undefined) => (error === undefined ? "" : error.toExponential(2));
    const rows = [
      ["weight", "scheme", "methods", "error", "rounded to nearest"],
      ...this.layers.map(({ name, scheme, methods, error, plainError }) => [
        name,
        scheme,
        methods.join(", ") || "none",
        shown(error),
        shown(plainError),
      ]),
    ];
    return [alignedRows(rows, 3).join("\n"), ...this.notes].join("\n");
  }
}

const reports = new WeakMap<Module, QuantizeReport>();

/** @internal */
export function keepReport(model: Module, layers: readonly LayerReport[]): void {
  reports.set(model, new QuantizeReport(layers));
}

/**
 * What `quantize` did to each weight of the model that it returned: which methods were kept, the error of the layer's result
 * beside that of rounding to nearest, and what was left out and why. Undefined for any other model, a clone or a loaded one too.
 *
 * @example
 * const layer = nn.linear(8, 4);
 * const calibrate = array(new Float32Array(16), [2, 8]); // zeros: gptq has nothing to go by
 * const small = await quantize(layer, quantize.int4(), { calibrate, method: quantize.gptq() });
 * quantize.report(small)?.layers[0]?.methods; // []
 */
export const report = (model: Module): QuantizeReport | undefined => reports.get(model);
