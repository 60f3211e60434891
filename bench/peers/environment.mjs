// Where the peers live and the environment they are measured in. Everything is made on demand in .cache/peers, which git
// ignores: a Python virtual environment with PyTorch, onnxruntime-node, and the compiled limits program.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";

export const here = fileURLToPath(new URL(".", import.meta.url));
export const root = fileURLToPath(new URL("../../", import.meta.url));
export const cacheDirectory = `${root}.cache/peers`;

const run = (command, args) => execFileSync(command, args, { stdio: ["ignore", "ignore", "inherit"] });

/** A Python with PyTorch 2.13: ATHANOR_PEERS_PYTHON if set, else a virtual environment made on first use. */
export function python() {
  if (process.env.ATHANOR_PEERS_PYTHON) return process.env.ATHANOR_PEERS_PYTHON;
  const binary = `${cacheDirectory}/venv/bin/python`;
  if (!existsSync(`${cacheDirectory}/venv/ready`)) {
    console.error("peers: installing PyTorch 2.13 into .cache/peers/venv (once)");
    run("python3", ["-m", "venv", `${cacheDirectory}/venv`]);
    run(binary, ["-m", "pip", "install", "--quiet", "torch==2.13.0", "numpy"]);
    writeFileSync(`${cacheDirectory}/venv/ready`, "");
  }
  return binary;
}

/** Installs onnxruntime-node into the cache; its binaries for the CPU come with the package, so no script has to run. */
export function installOnnxruntime() {
  if (existsSync(`${cacheDirectory}/node_modules/onnxruntime-node/package.json`)) return;
  console.error("peers: installing onnxruntime-node into .cache/peers (once)");
  mkdirSync(cacheDirectory, { recursive: true });
  run("npm", [
    "install",
    "--silent",
    "--no-save",
    "--ignore-scripts",
    "--prefix",
    cacheDirectory,
    "onnxruntime-node@1.30",
  ]);
}

/** The compiled limits.c. */
export function limitsProgram() {
  const [source, binary] = [`${here}limits.c`, `${cacheDirectory}/limits`];
  if (!existsSync(binary) || statSync(binary).mtimeMs < statSync(source).mtimeMs) {
    mkdirSync(cacheDirectory, { recursive: true });
    const flags = ["-O3", "-march=native", "-ffp-contract=fast", "-pthread"];
    run(process.env.CC ?? "cc", [...flags, source, "-o", binary]);
  }
  return binary;
}

/**
 * Every side runs in this environment. First touch of a page can be very slow on a virtual machine, so malloc keeps big
 * temporaries in its heap instead of mapping fresh pages each step, which helps PyTorch and is neutral for Athanor; hints that
 * pin OpenBLAS to an older kernel are dropped; OpenMP threads spin between regions of a step.
 */
export function environment(threads) {
  const inherited = { ...process.env };
  delete inherited.OPENBLAS_CORETYPE;
  delete inherited.OPENBLAS_L2_SIZE;
  return {
    ...inherited,
    MALLOC_MMAP_THRESHOLD_: "4294967296",
    MALLOC_TRIM_THRESHOLD_: "8589934592",
    MALLOC_TOP_PAD_: "67108864",
    OMP_NUM_THREADS: String(threads),
    MKL_NUM_THREADS: String(threads),
    ...(threads > 1 ? { OMP_WAIT_POLICY: "active" } : {}),
    PYTHONDONTWRITEBYTECODE: "1",
    ATHANOR_THREADS: String(threads),
  };
}

/** What the results were measured on. */
export function machine() {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? "unknown",
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    node: process.versions.node,
    load: Number(os.loadavg()[0].toFixed(2)),
  };
}
