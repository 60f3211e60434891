// Finds and opens device plugins (device/plugin.h), when a device is first asked for and never before: importing the package does not
// touch them. A plugin that cannot be had is a sentence, not an error.
#pragma once
#include <string>

#include "device/plugin.h"

namespace athanor::device {

struct Opened {
  const Plugin* plugin = nullptr;
  std::string path;
  std::string why;  // there is none: a sentence that says what is missing and how to get it
};

// kind: "cuda" or "cuda-emulated". Opened once a process, and kept; an attempt that failed is made again at the next call.
// Looked for: the file that ATHANOR_CUDA_PLUGIN names, then athanor_<kind>.so in the folder of set_plugin_folder, beside the addon, and
// in the folder cuda beside its own.
Opened open_plugin(const std::string& kind);

// Where builds of the package put plugins; the engine itself may be a prebuilt one, somewhere else.
void set_plugin_folder(const std::string& folder);

}  // namespace athanor::device
