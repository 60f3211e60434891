// Builds the device plugin.
//   node scripts/cuda/build.mjs              build/cuda/athanor_cuda.so, by cmake-js and nvcc
//   node scripts/cuda/build.mjs --emulated   build/cuda/athanor_cuda_emulated.so, by g++ alone
//   … --check                                 the program of cuda/check/run as well, for nvcc or the emulator
// Nothing is downloaded. Ends with a sentence that says what is missing and how to get it.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { firstProgram } from "../install/compilers.mjs";
import { writeMakefile } from "./makefile.mjs";
import { findNvcc } from "./nvcc.mjs";

const require = createRequire(import.meta.url);
chdir(fileURLToPath(new URL("../..", import.meta.url)));

function fail(sentence) {
  console.error(sentence);
  exit(1);
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) fail(`cuda: ${command} ended with ${error?.message ?? `status ${status}`}: see above`);
}

const withCheck = process.argv.includes("--check");
const jobs = String(process.env.ATHANOR_JOBS || availableParallelism());

function buildEmulated() {
  const compiler = process.env.CXX ?? firstProgram("g++", "clang++");
  if (!compiler) fail("cuda: the emulated device needs g++ (Debian, Ubuntu: apt-get install g++)");
  if (!firstProgram("make")) fail("cuda: the emulated device needs make (Debian, Ubuntu: apt-get install make)");
  const { makefile, plugin, check } = writeMakefile("emulated", compiler);
  run("make", ["-f", makefile, `-j${jobs}`, plugin, ...(withCheck ? [check] : [])]);
  console.log(`cuda: ${plugin} is built`);
}

function buildReal() {
  const nvcc = findNvcc();
  if (!nvcc)
    fail(
      "cuda: nvcc was not found: install the CUDA toolkit 12.4 or newer (https://developer.nvidia.com/cuda-downloads), or set CUDA_PATH",
    );
  if (!firstProgram("cmake"))
    fail("cuda: cmake was not found: install CMake 3.24 or newer (Debian, Ubuntu: apt-get install cmake)");
  let cmakeJs;
  try {
    cmakeJs = join(dirname(require.resolve("cmake-js/package.json")), "bin", "cmake-js");
  } catch {
    fail("cuda: the package cmake-js is not there: npm install cmake-js");
  }
  run(process.execPath, [
    cmakeJs,
    "compile",
    "-d",
    "cuda",
    "-O",
    "build/cuda/cmake",
    `--CDCMAKE_CUDA_COMPILER=${nvcc}`,
    `--CDATHANOR_CUDA_CHECK=${withCheck ? "ON" : "OFF"}`,
    "--parallel",
    jobs,
  ]);
  mkdirSync("build/cuda", { recursive: true });
  copyFileSync("build/cuda/cmake/Release/athanor_cuda.so", "build/cuda/athanor_cuda.so");
  if (withCheck) {
    mkdirSync("build/cuda/check", { recursive: true });
    copyFileSync("build/cuda/cmake/Release/athanor_cuda_check", "build/cuda/check/athanor_cuda_check");
  }
  console.log("cuda: build/cuda/athanor_cuda.so is built");
}

if (process.argv.includes("--emulated")) buildEmulated();
else buildReal();
