// A trial that goes on from another's checkpoint has a folder of its own from the beginning, which shares with the other's what neither
// changes: checkpoints are never written to once they are there, so they are links to the same files; other files are copied, by
// reference where the file system can.
import { constants } from "node:fs";
import { access, copyFile, link, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FileError } from "../../errors.js";

const isCheckpoint = (name: string): boolean => /^step-\d{9,15}$/.test(name);

/**
 * Makes the folder `to` with what is in `from`; whole or not at all. Nothing happens where `to` is there already (an earlier worker of
 * the trial made it), or `from` is not (the other trial kept nothing).
 *
 * @throws FileError
 */
export async function forkFolder(from: string, to: string): Promise<void> {
  if ((await isThere(to)) || !(await isThere(from))) return;
  await mkdir(dirname(to), { recursive: true });
  const beside = await mkdtemp(`${to}.fork-`);
  try {
    await copyInto(from, beside, false);
    await rename(beside, to);
  } catch (thrown) {
    await rm(beside, { recursive: true, force: true });
    if (await isThere(to)) return; // another worker of the trial was first
    const { code } = thrown as NodeJS.ErrnoException;
    throw new FileError(`tune: the checkpoints in "${from}" cannot be shared with "${to}" (${code})`, { cause: thrown }); // prettier-ignore
  }
}

async function copyInto(from: string, to: string, shared: boolean): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyInto(source, target, shared || isCheckpoint(entry.name));
    else if (entry.isFile())
      await (shared ? share(source, target) : copyFile(source, target, constants.COPYFILE_FICLONE));
  }
}

// File systems without links, and other devices, get a copy.
async function share(source: string, target: string): Promise<void> {
  await link(source, target).catch(() => copyFile(source, target, constants.COPYFILE_FICLONE));
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
