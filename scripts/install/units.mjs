// The translation units of the engine: some source files compiled together. Most of the time of a small C++ file goes into the
// headers that it shares with its neighbours; together they are read once, which more than halves the work of a build.
// binding.gyp runs this file, which writes build/units/*.cc and prints their names; the native tests are built from such units too.
// Files that give the same name to something of their own (an operation's `infer`, say) are kept in units apart.
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { argv, chdir } from "node:process";
import { fileURLToPath } from "node:url";

chdir(fileURLToPath(new URL("../..", import.meta.url)));
// In a checkout few enough that a change compiles little; on installation the most that names allow, as the kernels of one instruction
// set take longer than any such unit anyway.
const filesInUnit = existsSync("scripts/generate/sources.mjs") ? 8 : 32;

/** The sources that native/sources.gypi lists under a name. */
function listed(name) {
  const text = readFileSync("native/sources.gypi", "utf8");
  const [, list] = new RegExp(`"${name}": \\[([^\\]]*)\\]`).exec(text);
  return [...list.matchAll(/"([^"]+)"/g)].map(([, path]) => path);
}

/** Names that a file gives at the margin, where the layout puts what a namespace holds; names of macros too. */
function ownNames(path) {
  const names = new Set();
  let inMacro = false;
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const isContinued = inMacro;
    inMacro = line.endsWith("\\");
    const macro = /^#\s*define\s+(\w+)/.exec(line);
    if (macro) names.add(macro[1]);
    if (isContinued || !/^[A-Za-z]/.test(line) || /^(namespace|using namespace|extern)\b/.test(line)) continue;
    const kind = /^(?:template.*> )?(?:struct|class|union|enum(?: class)?|using) (\w+)/.exec(line);
    const value = /(\w+)(?:\[[^\]]*\])?(?: = |\{|;)/.exec(line.replace(/<[^<>]*>/g, ""));
    // A member that is defined outside its class carries the class's name, which sets it apart already.
    const call = /^[^(]*(?<![\w:])(\w+)\(/.exec(line.replace(/^(?:static_assert|template.*>)/, ""));
    for (const match of [kind, call, value]) if (match) names.add(match[1]);
  }
  return names;
}

/** Puts each file into the first unit that has space and none of the file's names. */
export function unitsOf(paths) {
  const units = [];
  for (const path of paths) {
    const names = ownNames(path);
    const fits = (unit) => unit.paths.length < filesInUnit && ![...names].some((name) => unit.names.has(name));
    let unit = units.find(fits);
    if (!unit) units.push((unit = { room: path.split("/")[1], paths: [], names: new Set() }));
    unit.paths.push(path);
    for (const name of names) unit.names.add(name);
  }
  return units;
}

/** Writes units into a folder, which keeps nothing else, and returns their paths. */
export function writeUnits(folder, units) {
  mkdirSync(folder, { recursive: true });
  const written = new Set();
  for (const unit of units) {
    let number = 1;
    while (written.has(`${unit.room}_${number}.cc`)) number += 1;
    const name = `${unit.room}_${number}.cc`;
    written.add(name);
    const text = unit.paths.map((path) => `#include "${path.replace(/^native\//, "")}"\n`).join("");
    // Untouched where nothing changed, for make.
    if (!existsSync(`${folder}/${name}`) || readFileSync(`${folder}/${name}`, "utf8") !== text)
      writeFileSync(`${folder}/${name}`, text);
  }
  for (const name of readdirSync(folder)) if (!written.has(name)) rmSync(`${folder}/${name}`);
  return [...written].map((name) => `${folder}/${name}`);
}

// npm links a package into place at times: the path that was asked for is not always the file's own.
if (argv[1] && realpathSync(argv[1]) === fileURLToPath(import.meta.url)) {
  const units = [...unitsOf(listed("athanor_engine_sources")), ...unitsOf(listed("athanor_binding_sources"))];
  for (const path of writeUnits("build/units", units)) console.log(path);
}
