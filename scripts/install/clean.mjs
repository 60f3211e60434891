// After an installation only the addon and its stamp stay in build/: objects, archives and makefiles are four times as much.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const kept = new Set(["athanor.node", "athanor.stamp.json"]);

/** Removes what the build of an installed package left beside the addon. */
export function removeAllButAddon(folder = "build") {
  const remove = (parent, keep) => {
    for (const name of readdirSync(parent)) {
      if (!keep.has(name)) rmSync(join(parent, name), { recursive: true, force: true });
    }
  };
  remove(folder, new Set(["Release"]));
  remove(join(folder, "Release"), kept);
}
