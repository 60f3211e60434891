// What befalls one rank reaches all of them, named: within two seconds, or the deadline where nothing can be noticed. How soon is measured on a
// quiet machine alone (npm run test:fault-limits); elsewhere the limits are those of a job that hangs.
import { describe, expect, it } from "vitest";
import { launch, mpis, type Job, type Mpi } from "./launch.js";

async function withFault(mpi: Mpi, fault: string, ranks = 3): Promise<Job & { readonly after: number }> {
  let at = performance.now();
  const job = await launch(mpi, {
    ranks,
    program: "rank-fault.ts",
    args: [fault],
    limit: 90,
    onLine: (line) => {
      if (line.startsWith("fault")) at = performance.now();
    },
  });
  return { ...job, after: (performance.now() - at) / 1000 };
}

/** Seconds within which ranks have to end. */
const limit = (seconds: number): number => (process.env.ATHANOR_FAULT_LIMITS ? seconds : 45);

const thrown = ({ stdout }: Job): string[] => stdout.split("\n").filter((line) => line.startsWith("thrown"));

describe.skipIf(mpis.length === 0).each(mpis)("a fault of one rank ends all: $name", (mpi) => {
  it("none at all", { timeout: 120_000 }, async () => {
    const job = await withFault(mpi, "none");
    expect(job.code, job.stderr).toBe(0);
    expect(job.stdout.match(/^end \d done$/gm)).toHaveLength(3);
  });

  it.each([
    [
      "callback",
      /^thrown [02] CommunicationError train\.fit: rank 1 \(.+\) failed in step 2\d: TypeError: the callback of this rank is broken \{"rank":1,/,
    ],
    ["throw", /^thrown [02] CommunicationError (train\.fit: )?rank 1 \(.+\) ended with exit code 1 \{"rank":1,/],
    ["exit-code", /^thrown [02] CommunicationError (train\.fit: )?rank 1 \(.+\) ended with exit code 3 \{"rank":1,/],
    [
      "exit",
      /^thrown [02] CommunicationError (train\.fit: )?rank 1 \(.+\) has ended while rank [02] \(.+\) waits for it in .* in step \d+/,
    ],
  ] as const)("%s", { timeout: 120_000 }, async (fault, sentence) => {
    // prettier-ignore
    const job = await withFault(mpi, fault);
    expect(job.code).not.toBe(0);
    expect(job.after).toBeLessThan(limit(2));
    const others = thrown(job).filter((line) => !line.startsWith("thrown 1"));
    expect(others, job.stdout + job.stderr).toHaveLength(2);
    for (const line of others) expect(line).toMatch(sentence);
  });

  it("kill -9", { timeout: 120_000 }, async () => {
    const job = await withFault(mpi, "kill");
    expect(job.code).not.toBe(0);
    expect(job.after).toBeLessThan(limit(2));
  });

  it("SIGSTOP, within the deadline and two seconds", { timeout: 120_000 }, async () => {
    const job = await withFault(mpi, "stop");
    expect(job.code).not.toBe(0);
    expect(job.after).toBeLessThan(limit(7));
    const lines = thrown(job);
    expect(lines.length, job.stdout + job.stderr).toBeGreaterThanOrEqual(1);
    for (const line of lines)
      expect(line).toMatch(/rank 1 \(.+\) did not answer rank [02] \(.+\) within 5 s in .* in step \d+/);
  });

  it("a label that is not a class: all ranks throw the same before any effect", { timeout: 120_000 }, async () => {
    const job = await withFault(mpi, "label");
    expect(job.code).not.toBe(0);
    const sentences = new Set(thrown(job).map((line) => line.replace(/^thrown \d /, "")));
    expect(thrown(job), job.stdout + job.stderr).toHaveLength(3);
    expect([...sentences]).toHaveLength(1);
    expect([...sentences][0]).toMatch(/ArgumentError train\.fit: rank \d \(.+\), step \d+: .*7/);
  });

  it("weights that one rank has changed alone: all ranks say so", { timeout: 120_000 }, async () => {
    const lines = thrown(await withFault(mpi, "weights"));
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).toMatch(
        /CommunicationError train\.fit: after step 30 rank 1 \(.+\) has other weights than rank 0 \(.+\);/,
      );
    }
  });

  it("a loss that is not finite: all ranks throw the same", { timeout: 120_000 }, async () => {
    const job = await withFault(mpi, "nan");
    expect(thrown(job), job.stdout + job.stderr).toHaveLength(3);
    for (const line of thrown(job)) expect(line).toMatch(/NonFiniteError train\.fit: .* at step \d+/);
  });

  it.each([
    ["options", /was given another run than rank 0 \(.+\): optimizer\.at step 0\.0 is 0\.2, not 0\.1/],
    ["data", /was given another run than rank 0 \(.+\): data\.content/],
  ] as const)("other %s by rank, before the first step", { timeout: 120_000 }, async (fault, sentence) => {
    const job = await withFault(mpi, fault);
    expect(thrown(job), job.stdout + job.stderr).toHaveLength(3);
    for (const line of thrown(job)) expect(line).toMatch(sentence);
    expect(job.code).not.toBe(0);
  });

  it("leaving the loop on one rank ends the run on all, without an error", { timeout: 120_000 }, async () => {
    const job = await withFault(mpi, "leave");
    expect(job.code, job.stderr).toBe(0);
    expect(job.stdout.match(/^end \d break$/gm), job.stdout).toHaveLength(3);
  });

  it("an error before the training", { timeout: 120_000 }, async () => {
    const job = await withFault(mpi, "before");
    expect(job.code).not.toBe(0);
    expect(job.stderr).toContain("this rank never got to the training");
    expect(job.seconds).toBeLessThan(60); // and not only by the launcher's own limit
  });
});
