// native/sources.gypi: the sources and flags that binding.gyp builds, from the tree of native/ and native/flags.json.
import { readFileSync } from "node:fs";
import { filesBelow } from "../files-below.mjs";

const list = (name, items) => `    "${name}": [\n${items.map((item) => `      "${item}",\n`).join("")}    ],\n`;

export const sources = {
  path: "native/sources.gypi",
  render() {
    const { common, isa } = JSON.parse(readFileSync("native/flags.json", "utf8"));
    const all = filesBelow("native", (path) => path.endsWith(".cc"));
    const bindings = all.filter((path) => path.startsWith("native/bindings/"));
    const elsewhere = /^native\/(bindings|test|kernels\/isa)\//;
    const engine = all.filter((path) => !elsewhere.test(path));
    return [
      "# Written by `npm run generate` from the files of native/ and from native/flags.json. Do not edit.\n",
      '{\n  "variables": {\n',
      list("athanor_engine_sources", engine),
      list("athanor_binding_sources", bindings),
      list("athanor_common_flags", common),
      ...Object.entries(isa).map(([name, entry]) => list(`athanor_${name}_flags`, entry.flags)),
      "  },\n}\n",
    ].join("");
  },
};
