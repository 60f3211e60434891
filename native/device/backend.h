// A device behind the Backend interface: the passes and the plan of the CPU, launches instead of closures.
#pragma once
#include <string>

#include "device/plugin_device.h"
#include "runtime/backend.h"

namespace athanor::device {

class DeviceBackend final : public Backend {
 public:
  explicit DeviceBackend(std::shared_ptr<PluginDevice> device) : device_(std::move(device)) {}
  Capabilities capabilities() const override;
  std::unique_ptr<Program> lower(const Graph& graph, const CompileOptions& options) override;

 private:
  std::shared_ptr<PluginDevice> device_;
};

// By name (device/devices.h); the CPU's for "cpu". Throws Code::device, Code::argument.
std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options, const std::string& device);

}  // namespace athanor::device
