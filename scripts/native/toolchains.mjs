// The ways in which the native tests are built: compiler, extra flags, instruction sets, how to run the result.
import { readFileSync } from "node:fs";
import { arch, platform } from "node:process";
import { firstProgram } from "../install/compilers.mjs";

const { common, isa: isaTable } = JSON.parse(readFileSync(new URL("../../native/flags.json", import.meta.url), "utf8"));

export const commonFlags = common;

const sanitize = (which) => [
  "-O1",
  "-g",
  "-fno-omit-frame-pointer",
  `-fsanitize=${which}`,
  "-fno-sanitize-recover=all",
  "-D_GLIBCXX_ASSERTIONS",
];
const gcc = () => process.env.CXX || firstProgram("g++", "clang++", "c++");
const clang = () => firstProgram("clang++-14", "clang++");
const cross = () => firstProgram("aarch64-linux-gnu-g++");

/** Every configuration; `compiler()` is undefined where this machine cannot build it. */
export const configurations = {
  release: { compiler: gcc, flags: [] },
  clang: { compiler: clang, flags: [] },
  asan: { compiler: () => firstProgram("g++"), flags: sanitize("address,undefined") },
  "asan-clang": { compiler: clang, flags: sanitize("address,undefined") },
  // g++ 12 breaks off in the AVX-512 units ("internal compiler error" of the pass esra), so clang where it is there.
  // clang links its own operator new beside the one with which a test counts; the test's comes first.
  tsan: { compiler: () => clang() ?? firstProgram("g++"), flags: sanitize("thread"), link: ["-Wl,-z,muldefs"] },
  // AVX-512 units run on any x64 machine: SIMDe supplies the intrinsics, the compiler gets the flags of AVX2.
  simde: {
    compiler: gcc,
    flags: ["-DATHANOR_SIMDE"],
    isaFlags: { avx512: [...isaTable.avx2.flags, "-DSIMDE_ENABLE_NATIVE_ALIASES"] },
    env: { ATHANOR_ISA: "avx512" },
  },
  neon: {
    compiler: cross,
    arch: "arm64",
    flags: [],
    runner: ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
    env: { ATHANOR_ISA: "neon" },
  },
};

/** Instruction sets built for a configuration: name and the flags of its unit. */
export function isasOf(configuration) {
  const target = configuration.arch ?? arch;
  return Object.entries(isaTable)
    .filter(([, entry]) => entry.arch.includes(target))
    .map(([name, entry]) => ({ name, flags: configuration.isaFlags?.[name] ?? entry.flags }));
}

/** The instruction sets that this machine's processor can run, as far as the operating system tells. */
export function isasOfThisMachine() {
  if (arch === "arm64") return ["scalar", "neon"];
  if (platform !== "linux") return ["scalar"];
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1].trim().split(/\s+/) ?? [];
  const has = (...names) => names.every((name) => flags.includes(name));
  return [
    "scalar",
    ...(has("avx2", "fma", "f16c") ? ["avx2"] : []),
    ...(has("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16") ? ["avx512"] : []),
  ];
}
