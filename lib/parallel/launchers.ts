// The MPI launchers of this machine, and how each is called.
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { CommunicationError } from "../errors.js";

/** A launcher that is there. */
export interface FoundLauncher {
  readonly command: string;
  readonly mpi: "openmpi" | "mpich";
}

/** How many ranks, and where. */
export interface JobShape {
  readonly ranks: number;
  /** A file of hosts, in the launcher's own format. Default this machine. */
  readonly hostfile?: string | undefined;
}

const commands = { openmpi: ["mpirun.openmpi", "mpirun"], mpich: ["mpirun.mpich", "mpirun", "mpiexec.hydra"] } as const;

/**
 * The launcher to use.
 *
 * @param wanted one MPI; else Open MPI where it is there, else MPICH.
 * @throws CommunicationError where none is installed.
 */
export function findLauncher(where: string, wanted?: "openmpi" | "mpich"): FoundLauncher {
  for (const mpi of wanted ? [wanted] : (["openmpi", "mpich"] as const)) {
    for (const command of commands[mpi]) {
      const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
      if (status === 0 && (mpi === "openmpi") === stdout.includes("Open MPI")) return { command, mpi };
    }
  }
  throw new CommunicationError(
    `${where}: no launcher of ${wanted ?? "any MPI"} was found; install one: apt-get install openmpi-bin, or mpich`,
  );
}

/** The launcher's arguments before the program. */
export function argumentsOf({ mpi }: FoundLauncher, { ranks, hostfile }: JobShape): string[] {
  const count = ["-n", String(ranks)];
  if (mpi === "mpich") return [...count, ...(hostfile === undefined ? [] : ["-f", hostfile])];
  const oversubscribed = hostfile === undefined && ranks > availableParallelism();
  // A host that is gone is noticed within seconds, not minutes.
  const alive = { time: 2, intvl: 1, probes: 3 };
  return [
    ...count,
    "--bind-to",
    "none",
    ...(oversubscribed ? ["--oversubscribe"] : []),
    ...(hostfile === undefined ? [] : ["--hostfile", hostfile]),
    ...Object.entries(alive).flatMap(([name, value]) => ["--mca", `oob_tcp_keepalive_${name}`, String(value)]),
    ...["ATHANOR_THREADS", "ATHANOR_RESTART"].flatMap((name) => ["-x", name]),
  ];
}

/** What ranks find in their environment: their share of this machine's cores, and leave to run as root in a container. */
export function environmentOf({ mpi }: FoundLauncher, { ranks, hostfile }: JobShape): Record<string, string> {
  const share = Math.max(1, Math.floor(availableParallelism() / ranks));
  const threads = process.env.ATHANOR_THREADS ?? (hostfile === undefined ? String(share) : undefined);
  const isRoot = process.getuid?.() === 0;
  return {
    ...(threads === undefined ? {} : { ATHANOR_THREADS: threads }),
    ...(mpi === "openmpi" && isRoot ? { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" } : {}),
  };
}
