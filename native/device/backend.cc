#include "device/backend.h"

#include "device/devices.h"
#include "device/program.h"
#include "graph/cpu_backend.h"

namespace athanor::device {
namespace {

// Whether products may carry elementwise chains: the plugin is asked about the smallest one that does.
bool carries_epilogues(const Launchers& launchers) {
  if (launchers.matmul.run == nullptr) return false;
  constexpr EwInstruction kCode[] = {{EwOp::load, 0}, {EwOp::relu, 0, 0}, {EwOp::store, 0, 0, 0, 0, 1}};
  constexpr DType kTypes[] = {DType::f32, DType::f32};
  float somewhere = 0;
  Matmul product;
  product.M = product.N = product.K = product.ldc = 1;
  product.a.data = product.b.data = product.c = &somewhere;
  product.epilogue.args.program = {DType::f32, 3, kCode, 2, kTypes};
  product.epilogue.args.operands[1].data = &somewhere;
  product.epilogue.raw = 0;
  return launchers.matmul.refuses == nullptr || launchers.matmul.refuses(product) == nullptr;
}

}  // namespace

Capabilities DeviceBackend::capabilities() const { return {device_->name(), device_->info().name, 1}; }

std::unique_ptr<Program> DeviceBackend::lower(const Graph& graph, const CompileOptions& options) {
  const FuseOptions fuse{options.optimize, options.optimize && carries_epilogues(device_->plugin().launch)};
  auto compiled = std::make_shared<const Graph>(options.optimize ? optimize(graph, evaluate, fuse)
                                                                 : fuse_elementwise(eliminate_dead(graph), fuse));
  DeviceEmitter emitter(device_);
  Layout layout = athanor::lower(std::move(compiled), emitter);
  return std::make_unique<DeviceProgram>(device_, emitter.finish(std::move(layout)));
}

std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options, const std::string& device) {
  const std::shared_ptr<PluginDevice> found = find_device(device);
  if (found == nullptr) return cpu().lower(graph, options);
  return DeviceBackend(found).lower(graph, options);
}

}  // namespace athanor::device
