// Writes build/cuda/<configuration>/Makefile: kernels for the emulator, compiled by g++.
//   emulated   build/cuda/athanor_cuda_emulated.so, the plugin
//              and build/cuda/check/athanor_cuda_check_emulated, a dry run of the check on a real GPU
//   checked    every access of a kernel reported to the emulator (-fsanitize=thread, whose library is not linked), one program for
//              each cuda/test/*_test.cc
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ccachePrefix } from "../install/compilers.mjs";
import {
  checkKernels,
  checkSources,
  emulatorSources,
  engineSources,
  instrumentation,
  kernelSources,
  pluginSources,
  testKernels,
  testParts,
  testSources,
} from "./sources.mjs";

const common =
  "-std=c++20 -Wall -Wextra -Werror -DATHANOR_EMULATOR -ffp-contract=off -fPIC -fvisibility=hidden -Inative -I.";
const hasFma = () => existsSync("/proc/cpuinfo") && /^flags.*\bfma\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));

const configurations = {
  emulated: { host: "-O2", kernels: "-O2" },
  checked: { host: "-O2", kernels: "-O1 -fsanitize=thread --param tsan-instrument-func-entry-exit=0" },
};

function writeIfChanged(path, text) {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Returns { makefile, plugin, programs: [{ name, path }], check }. */
export function writeMakefile(name, compiler) {
  const out = `build/cuda/${name}`;
  const { host, kernels } = configurations[name];
  const fused = hasFma() ? " -mfma" : ""; // else fmaf is a call
  const rules = [];
  const checked = name === "checked";
  const object = (source) => {
    const target = `${out}/obj/${source}.o`;
    // GCC 12 takes the storage of vectors that it sees through for something else.
    const tests = source.startsWith("cuda/test/") ? " -Wno-free-nonheap-object -Wno-use-after-free" : "";
    const inCheck = !checked && /^cuda\/(test|check)\//.test(source) ? " -DATHANOR_TEST_NO_MAIN" : "";
    const own = source.endsWith(".cu") ? `${kernels}${fused} -Wno-unknown-pragmas -x c++` : `${host}${tests}${inCheck}`;
    writeIfChanged(`${target}.flags`, `${compiler} ${common} ${own}\n`);
    rules.push(
      `${target}: ${source} ${target}.flags\n\t@echo "  CXX ${source}"\n\t@$(CXX) ${common} ${own} -MMD -MP -c ${source} -o $@`,
    );
    return target;
  };
  const emulator = emulatorSources().filter((path) => checked || path !== instrumentation);
  const objects = [...emulator, ...pluginSources(), ...engineSources, ...kernelSources()].map(object);
  let programs = [];
  const plugin = `build/cuda/athanor_cuda_emulated.so`;
  if (checked) {
    const shared = [...testKernels(), ...testParts()].map(object);
    const archive = `${out}/libathanor_cuda.a`;
    writeIfChanged(`${out}/objects.list`, `${[...objects, ...shared].join("\n")}\n`);
    rules.push(
      `${archive}: ${[...objects, ...shared].join(" ")} ${out}/objects.list\n\t@rm -f $@\n\t@ar rcs $@ ${[...objects, ...shared].join(" ")}`,
    );
    programs = testSources().map((source) => {
      const path = `${out}/${basename(source, ".cc")}`;
      const main = object(source);
      rules.push(`${path}: ${main} ${archive}\n\t@$(CXX) -pthread ${main} ${archive} -o $@`);
      return { name: basename(source, ".cc"), path };
    });
  } else {
    writeIfChanged(`${out}/objects.list`, `${objects.join("\n")}\n`);
    rules.push(
      `${plugin}: ${objects.join(" ")} ${out}/objects.list\n\t@$(CXX) -shared -pthread -s ${objects.join(" ")} -o $@`,
    );
  }
  const check = "build/cuda/check/athanor_cuda_check_emulated";
  if (!checked) {
    const parts = [...checkSources(), ...checkKernels].map(object);
    rules.push(
      `${check}: ${parts.join(" ")} ${objects.join(" ")}\n\t@mkdir -p build/cuda/check\n\t@$(CXX) -pthread -s ${parts.join(" ")} ${objects.join(" ")} -o $@`,
    );
  }
  const all = `all: ${checked ? programs.map(({ path }) => path).join(" ") : plugin}`;
  const includes = `-include $(shell find ${out}/obj -name '*.d' 2>/dev/null)`;
  const makefile = join(out, "Makefile");
  writeIfChanged(
    makefile,
    [`CXX := ${ccachePrefix()}${compiler}`, all, ".PHONY: all", ...rules, includes, ""].join("\n"),
  );
  return { makefile, plugin, programs, check };
}
