// Programs of this folder as ranks, under each MPI that is installed.
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { compiled } from "../programs.js";

/** A launcher. */
export interface Mpi {
  readonly name: "openmpi" | "mpich";
  readonly command: string;
  readonly options: readonly string[];
}

const found = (command: string): boolean => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

/** Every MPI of this machine. */
export const mpis: readonly Mpi[] = (
  [
    { name: "openmpi", command: "mpirun.openmpi", options: ["--oversubscribe", "--bind-to", "none"] },
    { name: "mpich", command: "mpirun.mpich", options: [] },
  ] as const
).filter(({ command }) => found(command));

/** What came of a job. */
export interface Job {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** How a job is started. */
export interface JobOptions {
  readonly ranks: number;
  readonly program: string;
  readonly args?: readonly string[];
  /** Further options of mpirun. */
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Told of every line of the ranks' output. */
  readonly onLine?: (line: string) => void;
  /** Seconds after which the job is killed. */
  readonly limit?: number;
}

/** Runs a TypeScript program of this folder on so many ranks. */
export function launch(mpi: Mpi, { ranks, program, args = [], options = [], env, onLine, limit = 120 }: JobOptions) {
  const path = compiled(new URL(program, import.meta.url));
  const begun = performance.now();
  return new Promise<Job>((settle, fail) => {
    const child = spawn(
      mpi.command,
      [...mpi.options, ...options, "-n", String(ranks), process.execPath, path, ...args],
      {
        stdio: ["ignore", "pipe", "pipe"],
        cwd: fileURLToPath(new URL("../..", import.meta.url)),
        env: {
          ...process.env,
          NODE_OPTIONS: "",
          OMPI_ALLOW_RUN_AS_ROOT: "1",
          OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
          ATHANOR_THREADS: "1",
          ...env,
        },
      },
    );
    const timer = setTimeout(() => child.kill("SIGKILL"), limit * 1000);
    let [stdout, stderr, rest] = ["", "", ""];
    child.stdout.on("data", (text: Buffer) => {
      stdout += text.toString();
      const lines = (rest + text.toString()).split("\n");
      rest = lines.pop()!;
      for (const line of lines) onLine?.(line);
    });
    child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
    child.on("error", fail);
    child.on("close", (code) => {
      clearTimeout(timer);
      settle({ code, stdout, stderr, seconds: (performance.now() - begun) / 1000 });
    });
  });
}
