// Every package manager brings node-gyp along, so that Athanor need not depend on it.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** The script of node-gyp: what the package manager names, one in node_modules, or that of the npm beside Node; or undefined. */
export function nodeGypScript(env = process.env) {
  const prefix = dirname(dirname(process.execPath));
  const ofNpm = (...root) => join(...root, "node_modules", "npm", "node_modules", "node-gyp", "bin", "node-gyp.js");
  const places = [
    // npm names the script itself, others a shell wrapper that another Node cannot run.
    env.npm_config_node_gyp?.endsWith(".js") && env.npm_config_node_gyp,
    inNodeModules(),
    ofNpm(prefix, "lib"),
    ofNpm(prefix, "share", "nodejs"),
    ofNpm(dirname(process.execPath)),
  ];
  return places.find((path) => path && existsSync(path));
}

function inNodeModules() {
  try {
    return require.resolve("node-gyp/bin/node-gyp.js");
  } catch {
    return undefined;
  }
}
