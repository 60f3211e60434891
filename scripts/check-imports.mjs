// Fails on an import that scripts/modules.mjs does not have, on a circle, on an import that leads nowhere, and on a file that
// nothing uses: a library module that no entry point reaches, a header that nobody includes, a source that no build lists.
import { existsSync, readFileSync } from "node:fs";
import { dirname, normalize } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { filesBelow } from "./files-below.mjs";
import { foreignHeaders, libModules, nativeModules } from "./modules.mjs";
import { importsOf } from "./typescript-imports.mjs";

chdir(fileURLToPath(new URL("..", import.meta.url)));
const problems = [];

function reportImport(modules, where, from, to, target) {
  if (!(from in modules)) problems.push(`${where}: the module "${from}" is not in scripts/modules.mjs`);
  else if (from !== to && !modules[from].includes(to))
    problems.push(
      `${where}: ${from} must not use ${to} (${target}); it may use ${modules[from].join(", ") || "nothing"}`,
    );
}

/** Reports every circle of a graph { file: [files] } once. */
function reportCircles(graph) {
  const state = new Map();
  const visit = (file, path) => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      problems.push(`circle: ${[...path.slice(path.indexOf(file)), file].join(" → ")}`);
      return;
    }
    state.set(file, "open");
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, "done");
  };
  for (const file of graph.keys()) visit(file, []);
}

function checkNative() {
  const files = filesBelow("native", (path) => /\.(h|cc|def)$/.test(path));
  const graph = new Map();
  const included = new Set();
  for (const path of files) {
    const file = path.slice("native/".length);
    const module = file.split("/")[0];
    const targets = [];
    readFileSync(path, "utf8")
      .split("\n")
      .forEach((line, index) => {
        const where = `${path}:${index + 1}`;
        const [, quote, name] = /^\s*#\s*include\s*(["<])([^">]+)[">]/.exec(line) ?? [];
        if (!quote) return;
        const foreign = foreignHeaders.find((entry) => entry.header.test(name));
        if (foreign && !foreign.modules.includes(module))
          problems.push(
            `${where}: <${name}> may be included only in: ${foreign.modules.join(", ") || "no module of native/"}`,
          );
        if (quote === "<") return;
        if (!existsSync(`native/${name}`)) {
          problems.push(`${where}: "${name}" is not a path below native/`);
          return;
        }
        targets.push(name);
        included.add(name);
        reportImport(nativeModules, where, module, name.split("/")[0], name);
      });
    graph.set(file, targets);
  }
  reportCircles(graph);
  const lists = readFileSync("native/sources.gypi", "utf8") + readFileSync("binding.gyp", "utf8");
  const outside = ["bench/native", "cuda"]
    .flatMap((folder) => filesBelow(folder))
    .map((path) => readFileSync(path, "utf8"))
    .join("");
  for (const path of files) {
    const file = path.slice("native/".length);
    if (path.endsWith(".cc") && !file.startsWith("test/") && !lists.includes(`"${path}"`))
      problems.push(`${path}: no build lists it; run npm run generate`);
    if (!path.endsWith(".cc") && !included.has(file) && !outside.includes(`"${file}"`))
      problems.push(`${path}: nothing includes it`);
  }
}

/** The module of a file of lib/: its folder, or its own name. */
const libModule = (path) => path.split("/")[1].replace(/\.ts$/, "");

function checkLib() {
  const files = filesBelow("lib", (path) => path.endsWith(".ts"));
  const values = new Map();
  const everything = new Map();
  for (const path of files) {
    values.set(path, []);
    everything.set(path, []);
    for (const { name, line, typeOnly, lazy } of importsOf(path)) {
      const where = `${path}:${line}`;
      if (name.endsWith(".node") && libModule(path) !== "native")
        problems.push(`${where}: only lib/native imports the addon`);
      if (!name.startsWith(".")) continue;
      const target = normalize(`${dirname(path)}/${name}`).replace(/\.js$/, ".ts");
      if (!existsSync(target)) {
        problems.push(`${where}: "${name}" leads nowhere`);
        continue;
      }
      everything.get(path).push(target);
      if (!typeOnly && !lazy) values.get(path).push(target);
      reportImport(libModules, where, libModule(path), libModule(target), name);
    }
  }
  reportCircles(values);
  const { exports, bin } = JSON.parse(readFileSync("package.json", "utf8"));
  const page = "dist/cjs/dashboard/client/main.js"; // scripts/build.mjs bundles it for browsers
  const doors = [...Object.values(exports).flatMap((entry) => entry.require ?? []), ...Object.values(bin ?? {}), page];
  const reached = new Set();
  const reach = (path) => {
    if (reached.has(path)) return;
    reached.add(path);
    (everything.get(path) ?? []).forEach(reach);
  };
  doors.map((path) => path.replace(/^(\.\/)?dist\/\w+\//, "lib/").replace(/\.js$/, ".ts")).forEach(reach);
  for (const path of files) if (!reached.has(path)) problems.push(`${path}: no entry point of package.json reaches it`);
}

/** The device plugin and the programs that use the engine: their own headers and native's are there. */
function checkIncludes() {
  for (const path of [...filesBelow("cuda"), ...filesBelow("bench/native")]) {
    if (!/\.(h|cc|cu|cuh)$/.test(path)) continue;
    const lines = readFileSync(path, "utf8").split("\n");
    lines.forEach((line, index) => {
      const [, name] = /^\s*#\s*include\s*"([^"]+)"/.exec(line) ?? [];
      if (name && ![name, `native/${name}`, `${dirname(path)}/${name}`].some((each) => existsSync(each)))
        problems.push(`${path}:${index + 1}: "${name}" is neither a path of the project nor one below native/`);
    });
  }
}

checkNative();
checkIncludes();
checkLib();
for (const problem of problems) console.error(problem);
exit(problems.length ? 1 : 0);
