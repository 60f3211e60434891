// Lists the files of a folder tree, sorted, as slash-separated paths relative to the working directory.
import { existsSync, readdirSync } from "node:fs";

export function filesBelow(folder, wanted = () => true) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return filesBelow(path, wanted);
      return wanted(path) ? [path] : [];
    })
    .sort();
}
