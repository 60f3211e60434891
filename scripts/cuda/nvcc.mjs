// Where the CUDA compiler is.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { firstProgram } from "../install/compilers.mjs";

/** nvcc of the PATH, of CUDACXX or CUDA_PATH, or of the usual folder; undefined where there is none. */
export function findNvcc(env = process.env) {
  const inFolder = (folder) => folder && join(folder, "bin", "nvcc");
  const named = [env.CUDACXX, inFolder(env.CUDA_PATH), inFolder("/usr/local/cuda")];
  return firstProgram("nvcc") ?? named.find((path) => path && existsSync(path));
}
