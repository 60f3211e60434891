// Writes build/native-<configuration>/Makefile: the engine without its Node bindings as a static library, one executable
// for every native/test/*_test.cc and bench/native/*_bench.cc. The engine is compiled in the units of an installation. Objects depend on their own command line, so that a changed
// flag rebuilds what it touches.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { filesBelow } from "../files-below.mjs";
import { ccachePrefix } from "../install/compilers.mjs";
import { unitsOf, writeUnits } from "../install/units.mjs";
import { warningFlags } from "../install/warnings.mjs";
import { commonFlags, isasOf } from "./toolchains.mjs";

function writeIfChanged(path, text) {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const isaOf = (source) => /^native\/kernels\/isa\/([a-z0-9]+)(?:_optim|_quant)?\.cc$/.exec(source)?.[1];

/** Returns { programs: [{ name, path, source }] } and leaves the Makefile behind. Paths are relative to the repository. */
export function writeMakefile({ name, configuration, compiler, kind }) {
  const out = `build/native-${name}`;
  const isas = isasOf(configuration);
  const have = isas.map((isa) => `-DATHANOR_HAVE_${isa.name.toUpperCase()}`);
  const base = [...commonFlags, "-pthread", "-Inative", ...have, ...configuration.flags];
  const isCc = (path) => path.endsWith(".cc");
  const engine = filesBelow("native", isCc)
    .filter((path) => !path.startsWith("native/bindings/") && !path.startsWith("native/test/"))
    .filter((path) => !isaOf(path) || isas.some((isa) => isa.name === isaOf(path)));
  const mains =
    kind === "bench"
      ? filesBelow("bench/native", (path) => path.endsWith("_bench.cc"))
      : filesBelow("native/test", (path) => path.endsWith("_test.cc"));
  const shared = filesBelow("native/test", isCc).filter((path) => !path.endsWith("_test.cc"));

  // Sanitizers and tests are full of what a compiler takes for something else.
  const isPlain = configuration.flags.length === 0;
  const warnings = isPlain ? warningFlags(compiler) : [];

  // A configuration's level of optimization stands: instrumented kernels at -O3 take minutes each.
  const setsLevel = configuration.flags.some((flag) => flag.startsWith("-O"));
  const isKept = (flag) => !(setsLevel && flag.startsWith("-O"));
  const rules = [];
  const object = (source) => {
    const isa = isas.find((entry) => entry.name === isaOf(source));
    const own = isa ? [`-DATHANOR_ISA_${isa.name.toUpperCase()}`, ...isa.flags.filter(isKept)] : [];
    const flags = [...base, ...(/^(native\/test|bench)\//.test(source) ? [] : warnings), ...own].join(" ");
    const target = `${out}/obj/${source}.o`;
    writeIfChanged(`${target}.flags`, `${compiler} ${flags}\n`);
    rules.push(
      `${target}: ${source} ${target}.flags\n\t@echo "  CXX ${source}"\n\t@$(CXX) ${flags} -MMD -MP -c ${source} -o $@`,
    );
    return target;
  };
  const kernels = engine.filter((path) => isaOf(path));
  const units = writeUnits(`${out}/units`, unitsOf(engine.filter((path) => !isaOf(path))));
  const objects = [...kernels, ...units, ...shared].map(object);
  const archive = `${out}/libathanor.a`;
  writeIfChanged(`${out}/objects.list`, `${objects.join("\n")}\n`);
  rules.push(`${archive}: ${objects.join(" ")} ${out}/objects.list\n\t@rm -f $@\n\t@$(AR) rcs $@ ${objects.join(" ")}`);
  const sanitizers = configuration.flags.filter((flag) => flag.startsWith("-fsanitize"));
  const forLinker = [...sanitizers, ...(configuration.link ?? [])];
  const programs = mains.map((source) => {
    const path = `${out}/${basename(source, ".cc")}`;
    const main = object(source);
    rules.push(`${path}: ${main} ${archive}\n\t@$(CXX) ${forLinker.join(" ")} -pthread ${main} ${archive} -ldl -o $@`);
    return { name: basename(source, ".cc"), path, source };
  });
  const all = `all: ${programs.map((program) => program.path).join(" ")}`;
  const includes = `-include $(shell find ${out}/obj -name '*.d' 2>/dev/null)`;
  const text = [`CXX := ${ccachePrefix()}${compiler}`, `AR ?= ar`, all, ".PHONY: all", ...rules, includes, ""].join(
    "\n",
  );
  const makefile = join(out, `Makefile.${kind}`);
  writeIfChanged(makefile, text);
  return { makefile, programs };
}
