// How many writes a second a disk takes to heart: 4 KiB in place and fdatasync, by one process at a time, which is what bounds
// commits that wait for one another.   node --import tsx bench/tune/disk.ts /tmp
import { open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Syncs a second beside `path`, and the 99th percentile of one in milliseconds. */
export async function diskRate(
  path: string,
  seconds = 1,
): Promise<{ readonly perSecond: number; readonly p99: number }> {
  const name = join(dirname(path), `.athanor-disk-${process.pid}`);
  const file = await open(name, "w+");
  const page = Buffer.alloc(4096, 1);
  try {
    for (let i = 0; i < 64; i++) await file.write(page, 0, page.length, i * page.length);
    await file.datasync();
    const times: number[] = [];
    for (const begun = performance.now(); performance.now() - begun < seconds * 1000;) {
      await file.write(page, 0, page.length, (times.length % 64) * page.length);
      const at = performance.now();
      await file.datasync();
      times.push(performance.now() - at);
    }
    times.sort((a, b) => a - b);
    return {
      perSecond: Math.round(times.length / seconds),
      p99: Number(times[Math.floor(times.length * 0.99)]!.toFixed(2)),
    };
  } finally {
    await file.close();
    await rm(name, { force: true });
  }
}

if (process.argv[1]?.endsWith("disk.ts"))
  console.log(JSON.stringify(await diskRate(join(process.argv[2] ?? ".", "x"), 3)));
