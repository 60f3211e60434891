// athanor inspect: what an artifact holds, parameter by parameter.
import { Command } from "commander";
import { load } from "../artifact/index.js";
import { bytes, percent, whole } from "../report/figures.js";
import { countOf, showShape } from "../tensor/nd-array.js";
import { textTable } from "../tensor/text-table.js";
import { print } from "./output.js";

/** The command `inspect`. */
export function inspectCommand(): Command {
  return new Command("inspect")
    .description("shows what an artifact takes in, and its parameters: shape, form, how many are zero")
    .argument("<artifact>", "folder that artifact.save wrote")
    .option("--json", "print JSON")
    .action(async (path: string, { json }: { json?: boolean }) => {
      using model = await load(path);
      const { input, layout, metadata, bytes: size, parameters } = model;
      const nonzero = model.countNonzero();
      const weights = layout.map((weight) => ({ ...weight, elements: countOf(weight.shape) }));
      print(json, { input, parameters, nonzero, bytes: size, metadata, weights }, () => {
        const rows = weights.map(({ name, shape, kind, nonzero: kept, elements }) => [
          name,
          showShape(shape),
          kind,
          whole(elements),
          elements === 0 ? "–" : percent(1 - kept / elements),
        ]);
        const notes = Object.entries(metadata).map(([name, value]) => `${name}: ${value}`);
        return [
          `${path}: takes ${input.dtype} [batch${input.shape.map((extent) => `, ${extent}`).join("")}], ${bytes(size)} on disk`,
          ...notes,
          "",
          textTable(["parameter", "shape", "form", "elements", "zero"], rows, 3),
          "",
          `${whole(parameters)} parameters, ${whole(nonzero)} of them not zero`,
        ].join("\n");
      });
    });
}
