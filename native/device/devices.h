// The devices of this machine, by name: "cpu", "cuda:0", "cuda:1", …, "cuda-emulated". "cuda" is "cuda:0".
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "device/plugin_device.h"

namespace athanor::device {

// A device that is there, or a kind that is not, with the reason.
struct Listed {
  std::string name;
  bool available = false;
  std::string detail;     // what it is
  std::string why;        // why it is not there: a sentence
  Index total_bytes = 0;  // of its memory
  Index free_bytes = 0;
  Index allocated_bytes = 0;  // by this process
};

// All but the CPU.
std::vector<Listed> list_devices();

// Throws Code::device where it is not there, saying why; Code::argument for a name that means nothing. Null for "cpu" and "".
std::shared_ptr<PluginDevice> find_device(const std::string& name);

}  // namespace athanor::device
