// Operations, elementwise instructions, number formats and update rules stand in their registries and are listed nowhere else by
// hand: what a list forgets is silently wrong. A list is what names four of one registry within six lines, as "name" or Kind::name.
import { readFileSync } from "node:fs";
import { chdir, exit } from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { filesBelow } from "./files-below.mjs";
import { operationRows } from "./generate/operation-rows.mjs";
import { definitions } from "./generate/typescript.mjs";

const names = (path, pattern) => definitions(path).flatMap((line) => pattern.exec(line)?.[1] ?? []);

const registries = [
  {
    what: "operations",
    kind: "Op",
    home: "native/graph/ops.def",
    names: () => operationRows().map(({ name }) => name),
  },
  {
    what: "elementwise instructions",
    kind: "EwOp",
    home: "native/kernels/elementwise/elementwise.def",
    names: () => names("native/kernels/elementwise/elementwise.def", /^EW_OP\((\w+)/),
  },
  {
    what: "number formats",
    kind: "Format",
    home: "native/formats/formats.def",
    names: () => names("native/formats/formats.def", /^ATHANOR_QUANT_FORMAT\((\w+)/),
  },
  {
    what: "update rules",
    kind: "Rule",
    home: "native/update_rules/rules.def",
    names: () => names("native/update_rules/rules.def", /^RULE_BEGIN\((\w+)/),
  },
];

// Where several are named because each is treated in a way of its own, and one that is not named is not wrong.
export const granted = {
  "native/ops/": "the rules of the rows: a row without one does not link",
  "native/graph/expr.": "functions that the formulas of gradients are written with",
  "native/graph/passes/simplify.cc": "algebra of single operations: one without an identity is copied",
  "native/kernels/elementwise/elementwise_machine.inl.h":
    "the instructions of part machine, which the interpreter does itself",
  "cuda/check/": "programs that are measured",
  "lib/tensor/tensor.ts": "the reductions among its methods",
  "lib/tensor/elementwise-methods.ts": "methods, which test/unit/engine/registries.test.ts holds to the rows",
  "lib/nn/activation.ts": "names of layers",
  "lib/prune/structured/": "names of pruning rules, which the rows' types hold to the rows",
  "lib/parallel/tensor/": "how tensor parallelism divides the operations that it knows; all others stay whole",
  "lib/prune/unpack.ts": "what takes the place of each sparse operation",
};

const window = 6;
const least = 4;

/** The lists in a file's text: the first line and the names of each. */
export function listsIn(text, { kind, known }) {
  const named = new RegExp(`"(\\w+)"|\\b${kind}::(\\w+)`, "g");
  const lines = text.split("\n").map((line) => {
    const code = line.replace(/^\s*(\/\/|\*).*/, "").replace(/\s\/\/ .*/, "");
    return [...code.matchAll(named)].map(([, quoted, scoped]) => quoted ?? scoped).filter((name) => known.has(name));
  });
  const found = [];
  for (let i = 0; i < lines.length; ++i) {
    const here = new Set(lines.slice(i, i + window).flat());
    if (lines[i].length === 0 || here.size < least) continue;
    found.push({ line: i + 1, names: [...here] });
    i += window - 1;
  }
  return found;
}

const isGranted = (path) => Object.keys(granted).some((place) => path.startsWith(place));

/** Sentences for every list outside of its registry. */
export function strayLists() {
  const files = ["lib", "native", "cuda"].flatMap((folder) =>
    filesBelow(folder, (path) => /\.(ts|h|cc|cu|cuh)$/.test(path) && !/\/(test|node_modules)\//.test(path)),
  );
  const sources = files.map((path) => ({ path, text: readFileSync(path, "utf8") }));
  return registries.flatMap(({ what, kind, home, names }) => {
    const known = new Set(names());
    return sources
      .filter(({ path, text }) => !isGranted(path) && !text.startsWith("// Written by `npm run generate`"))
      .flatMap(({ path, text }) =>
        listsIn(text, { kind, known }).map(
          ({ line, names }) =>
            `${path}:${line} lists ${what} by hand (${names.join(", ")}); make it a field of ${home}`,
        ),
      );
  });
}

/** What a row of kernels/elementwise/elementwise.def asks of the files of its functions, by their texts. */
export function missingFunctions(table, { f32, plain, value, f64 }) {
  const has = (text, macro, name) =>
    new RegExp(`\\b${macro}\\(${name},`).test(text) || text.includes(`F32<EwOp::${name}>`);
  const [cudaF32, cudaI32] = value.split("struct EwFunctions<std::int32_t>");
  return [...table.matchAll(/^EW_OP\((\w+), \d, (\w+), (\w+)\)/gm)].flatMap(([, name, types, part]) => {
    if (part === "machine") return [];
    const whole = types === "all";
    const wanted = [
      [has(f32, "EW_F32", name), "EW_F32 in elementwise_f32.inl.h"],
      [has(plain, "EW_F64", name) || has(plain, "EW_BOTH", name), "EW_F64 in elementwise_plain.cc"],
      [!whole || has(plain, "EW_I32", name) || has(plain, "EW_BOTH", name), "EW_I32 in elementwise_plain.cc"],
      [has(cudaF32, "EW_CASE", name), "f32 EW_CASE in cuda/kernels/elementwise/elementwise_value.cuh"],
      [!whole || has(cudaI32 ?? "", "EW_CASE", name), "i32 EW_CASE in cuda/kernels/elementwise/elementwise_value.cuh"],
      [has(f64, "EW_CASE", name), "EW_CASE in cuda/kernels/elementwise/elementwise_f64.cuh"],
    ];
    return wanted.flatMap(([there, what]) => (there ? [] : [`the elementwise instruction ${name} has no ${what}`]));
  });
}

/** What a row of graph/ops.def asks of its rule, by the text of the file that its section names. */
export function ruleFaults({ name, section, traits }, text) {
  const rule = new RegExp(`const OpRule rule_${name}\\{([^]*?)\\};`).exec(text)?.[1];
  if (rule === undefined) return [`${name}: native/${section} has no rule_${name}`];
  let depth = 0;
  const parts = [""];
  for (const letter of rule.replaceAll(/\s+/g, " ")) {
    depth += "(<{".includes(letter) ? 1 : ")>}".includes(letter) ? -1 : 0;
    if (letter === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += letter;
  }
  const [, vjp = "nullptr", lower = "nullptr", instruction] = parts.map((part) => part.trim());
  const elementwise = traits.includes("elementwise");
  const placed = traits.includes("source") || traits.includes("view");
  return [
    traits.includes("nogradient") === (vjp !== "nullptr") &&
      `${name}: its rule and its row disagree about a gradient; write its vjp, or say kNoGradient in the row`,
    elementwise !== (instruction !== undefined) &&
      `${name}: an elementwise row, and no other, names its instruction in its rule`,
    !elementwise && !placed && lower === "nullptr" && `${name}: its rule has no lowering`,
  ].filter(Boolean);
}

const kernels = {
  f32: "native/kernels/elementwise/elementwise_f32.inl.h",
  plain: "native/kernels/elementwise/elementwise_plain.cc",
  value: "cuda/kernels/elementwise/elementwise_value.cuh",
  f64: "cuda/kernels/elementwise/elementwise_f64.cuh",
};

/** The texts that {@link missingFunctions} looks at. */
export const kernelTexts = () =>
  Object.fromEntries(Object.entries(kernels).map(([name, path]) => [name, readFileSync(path, "utf8")]));

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  chdir(fileURLToPath(new URL("..", import.meta.url)));
  const table = readFileSync("native/kernels/elementwise/elementwise.def", "utf8");
  const faults = [
    ...strayLists(),
    ...missingFunctions(table, kernelTexts()),
    ...operationRows().flatMap((row) => ruleFaults(row, readFileSync(`native/${row.section}`, "utf8"))),
  ];
  for (const sentence of faults) console.error(sentence);
  exit(faults.length ? 1 : 0);
}
