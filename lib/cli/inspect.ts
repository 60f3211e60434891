// athanor inspect: what an artifact holds, parameter by parameter.
import { Command } from "commander";
import { load, type ModelInfo } from "../artifact/index.js";
import { bytes, percent, whole } from "../report/number-text.js";
import { countOf, showShape } from "../tensor/nd-array.js";
import { textTable } from "../tensor/text-table.js";
import { number } from "../train/run/format.js";
import { withExamples } from "./options.js";
import { print } from "./output.js";

/** The command `inspect`. */
export function inspectCommand(): Command {
  const command = new Command("inspect")
    .description("shows what a model takes and answers, what was done to it, and its parameters: shape, form, how many are zero")
    .argument("<artifact>", "folder that artifact.save wrote")
    .option("--json", "print JSON"); // prettier-ignore
  withExamples(command, "athanor inspect out/tier", "athanor inspect out/tier --json | jq .info.classes");
  return command.action(async (path: string, { json }: { json?: boolean }) => {
    using model = await load(path);
    const { inputs, info, layout, bytes: size, parameters } = model;
    const nonzero = model.countNonzero();
    const weights = layout.map((weight) => ({ ...weight, elements: countOf(weight.shape) }));
    print(json, { inputs, parameters, nonzero, bytes: size, info, weights }, () => {
      const rows = weights.map(({ name, shape, kind, nonzero: kept, elements }) => [
        name,
        showShape(shape),
        kind,
        whole(elements),
        elements === 0 ? "–" : percent(1 - kept / elements),
      ]);
      const takes = inputs.map(({ name, dtype, shape }) => `${inputs.length > 1 ? `${name} ` : ""}${dtype} [batch${shape.map((extent) => `, ${extent}`).join("")}]`).join(" and "); // prettier-ignore
      return [
        `${path}: takes ${takes}, ${bytes(size)} on disk`,
        ...notesOf(info),
        "",
        textTable(["parameter", "shape", "form", "elements", "zero"], rows, 3),
        "",
        `${whole(parameters)} parameters, ${whole(nonzero)} of them not zero`,
      ].join("\n");
    });
  });
}

function notesOf({ task, classes, preprocessing = {}, metrics = {}, provenance = [], metadata = {} }: ModelInfo): string[] {
  const columns = Object.values(preprocessing).flatMap((rule) => (rule.kind === "table" ? rule.columns.map(({ name, type }) => `${name} (${type})`) : []));
  return [
    ...(task !== undefined ? [`task: ${task}`] : []),
    ...(classes ? [`classes: ${classes.slice(0, 20).join(", ")}${classes.length > 20 ? `, … (${classes.length})` : ""}`] : []),
    ...(columns.length > 0 ? [`columns: ${columns.join(", ")}`] : []),
    ...Object.entries(metrics).map(([name, value]) => `${name}: ${number(value)}`),
    ...(provenance.length > 0 ? [`history: ${provenance.map(({ step, date }) => `${step} (${date.slice(0, 10)})`).join(", ")}`] : []),
    ...Object.entries(metadata).map(([name, value]) => `${name}: ${value}`),
  ];
} // prettier-ignore
