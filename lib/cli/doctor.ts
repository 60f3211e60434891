// athanor doctor: what the engine found on this machine, what it did not, and how to get it.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Command } from "commander";
import { list, type DeviceInfo } from "../device/index.js";
import { addon } from "../native/index.js";
import { bytes } from "../report/number-text.js";
import { textTable } from "../tensor/text-table.js";
import { withExamples } from "./options.js";
import { print } from "./output.js";

/** Something that was looked for. */
export interface Finding {
  readonly name: string;
  readonly found: boolean;
  /** What it is, or what it is for and how to get it. */
  readonly detail: string;
}

const run = promisify(execFile);

/** What there is of this machine. */
export async function findings(): Promise<{ engine: Finding[]; devices: DeviceInfo[]; tools: Finding[] }> {
  const warning = addon.isaWarning();
  const engine: Finding[] = [
    { name: "athanor", found: true, detail: `${addon.version}, Node ${process.version}, ${process.platform}-${process.arch}` },
    { name: "instruction set", found: true, detail: `${addon.isa()} of ${addon.isas().join(", ")}${warning && `; ${warning}`}` },
    { name: "threads", found: true, detail: `${addon.threads()} (ATHANOR_THREADS)` },
  ]; // prettier-ignore
  const tools = await Promise.all([
    tool("compiler", ["c++", "g++", "clang++"], "builds the engine from source, and the emulated device: apt-get install g++"),
    tool("make", ["make"], "builds the engine from source: apt-get install make"),
    tool("nvcc", nvccPlaces(), "builds the CUDA device: install the CUDA toolkit (developer.nvidia.com/cuda-downloads), or set CUDA_PATH"),
    tool("cmake", ["cmake"], "builds the CUDA device: apt-get install cmake"),
  ]); // prettier-ignore
  return { engine, devices: list(), tools: [...tools, driver(), cublas()] };
}

async function tool(name: string, programs: readonly string[], purpose: string): Promise<Finding> {
  for (const program of programs) {
    try {
      const { stdout } = await run(program, ["--version"], { timeout: 20_000 });
      const line = stdout.split("\n").find((text) => /\d+\.\d+/.test(text)) ?? stdout.split("\n")[0] ?? "";
      return { name, found: true, detail: `${line.trim()} (${program})` };
    } catch {
      continue;
    }
  }
  return { name, found: false, detail: purpose };
}

function nvccPlaces(): string[] {
  const { CUDACXX, CUDA_PATH } = process.env;
  return ["nvcc", ...(CUDACXX ? [CUDACXX] : []), join(CUDA_PATH ?? "/usr/local/cuda", "bin", "nvcc")];
}

function driver(): Finding {
  const name = "NVIDIA driver";
  const path = "/proc/driver/nvidia/version";
  const purpose = "runs the CUDA device: install it for your GPU (nvidia.com/drivers)";
  if (!existsSync(path)) return { name, found: false, detail: purpose };
  return { name, found: true, detail: readFileSync(path, "utf8").split("\n")[0]!.trim() };
}

// Where the plugin looks for it too, but for Python's packages.
function cublas(): Finding {
  const name = "cuBLASLt";
  const { ATHANOR_CUBLASLT, CUDA_PATH } = process.env;
  const folders = [join(CUDA_PATH ?? "/usr/local/cuda", "lib64"), "/usr/lib/x86_64-linux-gnu", "/usr/lib64"];
  const named = ATHANOR_CUBLASLT && existsSync(ATHANOR_CUBLASLT) ? ATHANOR_CUBLASLT : undefined;
  const place = named ?? folders.map(libraryIn).find((path) => path !== undefined);
  if (place) return { name, found: true, detail: place };
  return {
    name,
    found: false,
    detail: "optional, for products on a GPU: comes with the CUDA toolkit, or name the file in ATHANOR_CUBLASLT",
  };
}

function libraryIn(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  const file = readdirSync(folder).find((entry) => entry.startsWith("libcublasLt.so"));
  return file && join(folder, file);
}

/** The command `doctor`. */
export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("says what the engine runs on here: instruction set, devices, tools to build them; what is missing and how to get it")
    .option("--json", "print JSON"); // prettier-ignore
  withExamples(command, "athanor doctor", "athanor doctor --json | jq .devices");
  return command.action(async ({ json }: { json?: boolean }) => {
    const found = await findings();
    const mark = (there: boolean) => (there ? "yes" : "no");
    print(json, found, () => {
      const rows = [...found.engine, ...found.tools].map(({ name, found: there, detail }) => [
        name,
        mark(there),
        detail,
      ]);
      const devices = found.devices.map(({ name, available, detail, why, memory }) => {
        const free = memory.total > 0 ? `, ${bytes(memory.free)} of ${bytes(memory.total)} free` : "";
        return [`device ${name}`, mark(available), available ? `${detail}${free}` : why];
      });
      return textTable(["", "there", ""], [...rows.slice(0, 3), ...devices, ...rows.slice(3)], 3);
    });
  });
}
