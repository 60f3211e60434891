// The optimizer's step on a device: tables of tensors and chunks, states and counter in its memory, so that nothing of a step is decided
// on the host. The tables are made again when a parameter has moved or got another mask.
#include <cstring>
#include <string>

#include "device/rules/rules.h"
#include "graph/attributes.h"
#include "ops/effects/optimizer_state.h"
#include "runtime/buffer.h"

namespace athanor::device {
namespace {

class OptimizerAttachment final : public Attachment {
 public:
  OptimizerAttachment(std::shared_ptr<PluginDevice> device, std::shared_ptr<OptimizerState> optimizer,
                      std::vector<Slot> gradients)
      : device_(std::move(device)), optimizer_(std::move(optimizer)), gradients_(std::move(gradients)) {
    std::vector<Index> sizes;
    for (const auto& variable : optimizer_->variables()) sizes.push_back(variable->type().count());
    const auto count = static_cast<std::int32_t>(sizes.size());
    std::vector<OptimChunk> chunks(static_cast<std::size_t>(optim_chunks(sizes.data(), count, nullptr)));
    optim_chunks(sizes.data(), count, chunks.data());
    chunk_count_ = static_cast<std::int32_t>(chunks.size());
    const Index chunk_bytes = bytes_of(chunks);
    chunks_ = std::make_unique<DeviceBlock>(device_, chunk_bytes);
    if (chunk_bytes > 0) device_->upload(chunks_->data(), chunks.data(), chunk_bytes);
    tensors_ = std::make_unique<DeviceBlock>(device_, static_cast<Index>(sizes.size() * sizeof(OptimTensor)));
  }

  bool bind(const Addresses& at) override {
    counter_ = optimizer_->counter().on(device_);
    const auto& variables = optimizer_->variables();
    std::vector<OptimTensor> now(variables.size());
    Index rows = 0;
    for (std::size_t i = 0; i < variables.size(); ++i) {
      OptimTensor& tensor = now[i];
      const Variable& variable = *variables[i];
      tensor.param = reinterpret_cast<float*>(variable.on(device_));
      tensor.grad = at.at<const float>(gradients_[i]);
      const auto& states = optimizer_->states_of(static_cast<int>(i));
      for (int k = 0; k < optim::kMaxState; ++k) {
        if (states[static_cast<std::size_t>(k)] != nullptr)
          tensor.state[k] = states[static_cast<std::size_t>(k)]->on(device_);
      }
      if (variable.mask()) tensor.mask = reinterpret_cast<const std::uint8_t*>(variable.mask()->on(device_));
      tensor.n = variable.type().count();
      const Shape& shape = variable.type().shape;
      tensor.columns = tensor.n, tensor.first_row = rows;
      if (const int rank = shape.rank(); rank >= 2) {
        tensor.is_matrix = 1;
        tensor.batch = shape.count(0, rank - 2), tensor.rows = shape[rank - 2], tensor.columns = shape[rank - 1];
        rows += tensor.batch * tensor.rows;
      }
      tensor.group = optimizer_->group_of(static_cast<int>(i));
    }
    if (bytes_of(now) == 0 || (held_.size() == now.size() && same(held_, now))) return false;
    device_->upload(tensors_->data(), now.data(), bytes_of(now));
    held_ = std::move(now);
    return false;
  }

  void note_changes() override {
    optimizer_->arena()->buffer.wrote_on(*device_);
    optimizer_->counter().wrote_on(*device_);
  }

  void fill(OptimStep& step) const {
    step.tensors = reinterpret_cast<const OptimTensor*>(tensors_->data());
    step.chunks = reinterpret_cast<const OptimChunk*>(chunks_->data());
    step.tensor_count = static_cast<std::int32_t>(gradients_.size());
    step.chunk_count = chunk_count_;
    for (const auto& variable : optimizer_->variables()) {
      const Shape& shape = variable->type().shape;
      if (shape.rank() >= 2) step.rows += shape.count(0, shape.rank() - 1);
    }
    step.counter = reinterpret_cast<OptimCounter*>(counter_);
  }

 private:
  template <class T>
  static Index bytes_of(const std::vector<T>& values) {
    return static_cast<Index>(values.size() * sizeof(T));
  }

  static bool same(const std::vector<OptimTensor>& a, const std::vector<OptimTensor>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(OptimTensor)) == 0;
  }

  std::shared_ptr<PluginDevice> device_;
  std::shared_ptr<OptimizerState> optimizer_;
  std::vector<Slot> gradients_;
  std::unique_ptr<DeviceBlock> tensors_, chunks_;
  std::int32_t chunk_count_ = 0;
  std::vector<OptimTensor> held_;  // as last uploaded
  std::byte* counter_ = nullptr;
};

OptimStep options_of(const OptimizerState& optimizer) {
  const optim::StepOptions& options = optimizer.options();
  OptimStep step;
  step.rule = optimizer.rule();
  step.groups = static_cast<std::int32_t>(optimizer.groups().size());
  step.grad_scale = options.grad_scale;
  step.max_norm = options.max_norm;
  step.clip_value = options.clip_value;
  step.skip_nonfinite = options.skip_nonfinite;
  step.want_norm = options.want_norm;
  return step;
}

}  // namespace

void lower_optimizer_step(DeviceContext& context) {
  const auto optimizer = std::dynamic_pointer_cast<OptimizerState>(
      context.graph.resources()[attributes::optimizer_step::of(context.attrs()).resource]);
  check(optimizer != nullptr, Code::internal, [] { return "optimizer_step: its resource is no optimizer"; });
  check(!optimizer->has_codec(), Code::unsupported_op, [&] {
    return std::string("optim.") + optim::info(optimizer->rule()).name +
           ": states in bf16, 8 or 4 bits are the CPU's alone so far; leave out states, or run on the CPU";
  });
  const int count = static_cast<int>(optimizer->variables().size());
  const bool guarded = attributes::optimizer_step::of(context.attrs()).guard;
  check(count + (guarded ? 2 : 1) == context.input_count(), Code::internal,
        [] { return "optimizer_step: one gradient for every parameter"; });
  std::vector<Slot> gradients;
  double elements = 0;
  for (int i = 0; i < count; ++i) {
    gradients.push_back(context.input(i));
    elements += static_cast<double>(context.input_type(i).count());
  }
  auto tables = std::make_shared<OptimizerAttachment>(context.device, optimizer, std::move(gradients));
  context.attach(tables);
  OptimStep step = options_of(*optimizer);
  step.check.node = context.id();
  tables->fill(step);
  const Slot hyper = context.input(count + (guarded ? 1 : 0)), loss = context.input(count), report = context.output();
  context.launch(context.launchers().optim_step, step, {12.0 * elements, 28.0 * elements},
                 [=](OptimStep& now, const Addresses& at) {
                   tables->fill(now);
                   now.hyper = at.at<const double>(hyper), now.report = at.at<double>(report);
                   now.guard = guarded ? at.at<const float>(loss) : nullptr;
                   now.check.run = at.run;
                 });
}

}  // namespace athanor::device
