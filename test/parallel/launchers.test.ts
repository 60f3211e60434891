// Launchers and libraries that belong together, that do not, and that are not there: one sentence, and nobody waits.
import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { launch, mpis } from "./launch.js";
import { compiled } from "../programs.js";

const program = "rank-launcher.ts";

function directly(env: Record<string, string>): string {
  const path = compiled(new URL(program, import.meta.url));
  const child = spawnSync(process.execPath, [path], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "", ...env },
    timeout: 60_000,
  });
  return child.stdout + child.stderr;
}

describe("without a launcher", () => {
  it("a process is one rank of one, and no MPI is opened", () => {
    const said = directly({});
    expect(said).toContain('{"rank":0,"size":1,"name":"one rank alone","hosts":1}');
    expect(said).toContain("MPI is not open");
    expect(said).toContain("trap: RuntimeError");
  });
});

describe("a library that cannot be had", () => {
  const launched = { OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_RANK: "0" };

  it("is named with how to install one", () => {
    expect(directly({ ...launched, ATHANOR_MPI: "/nowhere/libmpi.so" })).toContain(
      "CommunicationError: parallel.connect: parallel: no MPI library could be opened (/nowhere/libmpi.so is not there); install one",
    );
  });

  it("is named with what it lacks", () => {
    expect(directly({ ...launched, ATHANOR_MPI: "libm.so.6" })).toContain("libm.so.6 has no MPI_Init_thread");
  });
});

describe.skipIf(mpis.length === 0).each(mpis)("under the launcher of $name", (mpi) => {
  it("ranks find each other, and WebAssembly still traps", { timeout: 120_000 }, async () => {
    const job = await launch(mpi, { ranks: 2, program });
    expect(job.code, job.stderr).toBe(0);
    expect(job.stdout).toMatch(/"rank":0,"size":2/);
    expect(job.stdout).toMatch(/"rank":1,"size":2/);
    expect(job.stdout).toMatch(mpi.name === "openmpi" ? /"name":"Open MPI/ : /"name":"MPICH/);
    expect(job.stdout.match(/trap: RuntimeError/g)).toHaveLength(2);
  });

  it.skipIf(mpis.length < 2)(
    "the library of another MPI is an error that names both",
    { timeout: 120_000 },
    async () => {
      const other = mpi.name === "openmpi" ? "mpich" : "openmpi";
      const job = await launch(mpi, { ranks: 2, program, env: { ATHANOR_MPI: other }, limit: 60 });
      expect(job.code).not.toBe(0);
      expect(job.stdout).toMatch(/started 2 ranks, but .* sees 1: launcher and library belong to different MPIs/);
    },
  );
});

it("this machine says which MPIs the tests of ranks use", () => {
  const names = mpis.map(({ command }) => execFileSync(command, ["--version"], { encoding: "utf8" }).split("\n")[0]);
  if (names.length === 0) console.warn("no MPI here: the tests of several ranks were left out");
  expect(names.length).toBe(mpis.length);
});
