// Which files make the device plugin, the same for nvcc (CMakeLists.txt reads the folders) and for the emulator.
import { filesBelow } from "../files-below.mjs";

const below = (folder, extension) => filesBelow(folder, (path) => path.endsWith(extension));

export const kernelSources = () => below("cuda/kernels", ".cu");
export const emulatorSources = () => below("cuda/emulator", ".cc");
/** Only checked builds have it: kernels call it at every access. */
export const instrumentation = "cuda/emulator/instrument.cc";
export const pluginSources = () => below("cuda/plugin", ".cc").filter((path) => path !== "cuda/plugin/runtime_cuda.cc");
/** Parts of the engine that the plugin's host code needs. */
export const engineSources = ["native/kernels/elementwise/elementwise.cc"];
export const testSources = () => below("cuda/test", "_test.cc");
export const testKernels = () => below("cuda/test", ".cu");
/** What test programs share. */
export const testParts = () => below("cuda/test", ".cc").filter((path) => !path.endsWith("_test.cc"));
/** The program of the check on a real GPU: the tests of kernels, but not those of the emulator. */
export const checkSources = () => [
  ...below("cuda/check", ".cc"),
  ...testSources().filter((path) => !path.includes("faults")),
];
export const checkKernels = ["cuda/test/fragments.cu"];
