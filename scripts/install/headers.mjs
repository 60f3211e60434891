// Node's headers for node-gyp without a download: those beside the running node, else the Node-API headers that the package
// node-api-headers ships. Windows needs node.lib too, so there the second way does not exist and node-gyp fetches it.
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

function headersBesideNode() {
  const prefix = dirname(dirname(process.execPath));
  const folder = join(prefix, "include", "node");
  if (!existsSync(join(folder, "node_api.h")) || !existsSync(join(folder, "common.gypi"))) return undefined;
  const version = existsSync(join(folder, "node_version.h"))
    ? readFileSync(join(folder, "node_version.h"), "utf8")
    : "";
  const major = /#define NODE_MAJOR_VERSION (\d+)/.exec(version)?.[1];
  return major === process.versions.node.split(".")[0] ? prefix : undefined;
}

// node-gyp wants a common.gypi with the default configuration; ours holds only what an addon needs.
const commonGypi = `{
  "variables": { "enable_lto%": "false", "visibility%": "hidden", "configuring_node%": 0 },
  "target_defaults": {
    "default_configuration": "Release",
    "configurations": { "Release": { "cflags": ["-O3"] }, "Debug": { "cflags": ["-O0", "-g"] } },
    "conditions": [
      ["OS=='mac'", { "defines": ["_DARWIN_USE_64_BIT_INODE=1"], "xcode_settings": { "GCC_OPTIMIZATION_LEVEL": "3" } }],
      ["OS!='win' and OS!='mac'", { "cflags": ["-pthread"], "ldflags": ["-pthread"] }]
    ]
  }
}
`;

/** Copies the headers of node-api-headers into folder, and gives the folder; undefined on Windows. */
export function headersFromPackage(folder) {
  if (process.platform === "win32") return undefined;
  const { include_dir: shipped } = require("node-api-headers");
  const target = join(folder, "include", "node");
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(shipped))
    if (name.endsWith(".h")) copyFileSync(join(shipped, name), join(target, name));
  writeFileSync(join(target, "common.gypi"), commonGypi);
  writeFileSync(
    join(target, "config.gypi"),
    JSON.stringify({ target_defaults: {}, variables: process.config.variables }),
  );
  return folder;
}

/** The folder for node-gyp's --nodedir, or undefined when node-gyp must find the headers itself. */
export function nodeDirectory(buildFolder, env = process.env) {
  const beside = env.ATHANOR_HEADERS === "package" ? undefined : headersBesideNode();
  return beside ?? headersFromPackage(join(buildFolder, "node-headers"));
}
