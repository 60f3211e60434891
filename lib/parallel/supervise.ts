// A job of ranks under supervision: when it breaks, it is started again and goes on from its last committed checkpoint.
import { spawn } from "node:child_process";
import { CommunicationError } from "../errors.js";
import { argumentsOf, environmentOf, findLauncher, type JobShape } from "./launchers.js";

/** What {@link supervise} starts. */
export interface Supervised extends JobShape {
  /** The program of a rank and its arguments. */
  readonly program: readonly string[];
  readonly mpi?: "openmpi" | "mpich" | undefined;
  /** How often a job that broke is started again. */
  readonly restarts: number;
  /** Ends the job; it is not started again. */
  readonly signal?: AbortSignal | undefined;
  /** Told of every start again. */
  readonly onRestart?: ((restart: number, code: number) => void) | undefined;
  /** Milliseconds before the first start again; doubled each time, 30 s at most. Default 1000. */
  readonly pause?: number | undefined;
}

/**
 * Starts a program on ranks and waits for its end; its output goes where this process's goes.
 *
 * @returns how often it was started again.
 * @throws CommunicationError where no launcher is there, or the job broke once more than it may.
 */
export async function supervise(job: Supervised): Promise<number> {
  const where = "athanor launch";
  const launcher = findLauncher(where, job.mpi);
  for (let restart = 0; ; restart++) {
    const code = await once(launcher.command, [...argumentsOf(launcher, job), ...job.program], {
      env: { ...process.env, ...environmentOf(launcher, job), ATHANOR_RESTART: String(restart) },
      signal: job.signal,
    });
    if (code === 0) return restart;
    if (job.signal?.aborted || restart === job.restarts) {
      const again = restart === 0 ? "" : ` for the ${restart + 1}. time`;
      throw new CommunicationError(
        `${where}: the job of ${job.ranks} ranks ended with exit code ${code}${again}; the first error above is the cause`,
      );
    }
    job.onRestart?.(restart + 1, code);
    await pause(Math.min(30_000, (job.pause ?? 1000) * 2 ** restart), job.signal);
  }
}

function once(
  command: string,
  args: readonly string[],
  { env, signal }: { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal | undefined },
): Promise<number> {
  return new Promise((settle, fail) => {
    const child = spawn(command, args, { stdio: "inherit", env });
    const stop = () => child.kill("SIGTERM");
    signal?.addEventListener("abort", stop, { once: true });
    child.on("error", fail);
    child.on("exit", (code) => {
      signal?.removeEventListener("abort", stop);
      settle(code ?? 1);
    });
  });
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, Math.min(2 ** 31 - 1, ms));
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done, { once: true });
  });
}
