#include "graph/cpu_backend.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "graph/lower.h"
#include "graph/plan.h"
#include "graph/print.h"
#include "kernels/dispatch.h"
#include "runtime/executor.h"
#include "runtime/thread_pool.h"

namespace athanor {
namespace {

// Effects go last: every reader of a variable sees the value from before the run, and a run that fails changes nothing.
std::vector<NodeId> schedule(const Graph& graph) {
  std::vector<NodeId> order;
  for (const bool effects : {false, true}) {
    for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes().size()); ++id) {
      if (info(graph.node(id).op).is(kEffect) == effects) order.push_back(id);
    }
  }
  return order;
}

// One graph on its way to an Executable.
class Lowering {
 public:
  Lowering(std::shared_ptr<const Graph> graph, const CompileOptions& options)
      : graph_(std::move(graph)), options_(options), kernels_(kernel_table()), slot_of_(graph_->value_count(), -1) {}

  Executable run() {
    code_.keep = std::const_pointer_cast<Graph>(graph_);
    code_.workers = options_.workers;
    code_.variables = graph_->variables();
    code_.written.assign(code_.variables.size(), false);
    for (const auto& constant : graph_->constants()) {
      code_.constants.emplace_back(constant, &constant->bytes);
    }
    assign_slots();
    lower_nodes();
    choose_outputs();
    plan();
    report();
    return std::move(code_);
  }

 private:
  Slot new_slot(Binding binding) {
    code_.bindings.push_back(binding);
    return static_cast<Slot>(code_.bindings.size()) - 1;
  }

  void assign_slots() {
    for (const Node& node : graph_->nodes()) {
      if (node.op == Op::input) {
        slot_of_[node.output()] = new_slot({Binding::Kind::feed, static_cast<Index>(code_.inputs.size())});
        code_.inputs.push_back({node.attrs.text("name"), graph_->type(node.output())});
      } else if (node.op == Op::parameter) {
        slot_of_[node.output()] = new_slot({Binding::Kind::variable, node.attrs.integer("slot")});
      } else if (node.op == Op::constant) {
        slot_of_[node.output()] = new_slot({Binding::Kind::constant, node.attrs.integer("slot")});
      } else if (info(node.op).is(kView)) {
        slot_of_[node.output()] = slot_of_[node.inputs[0]];
      } else {
        for (int i = 0; i < node.output_count; ++i) {
          const Slot slot = new_slot({Binding::Kind::arena, 0});
          slot_of_[node.output(i)] = slot;
          bytes_.resize(code_.bindings.size(), 0);
          bytes_[slot] = graph_->type(node.output(i)).bytes();
        }
      }
    }
    next_slot_ = static_cast<Slot>(code_.bindings.size());
  }

  void lower_nodes() {
    first_step_.assign(graph_->nodes().size(), 0);
    last_step_.assign(graph_->nodes().size(), -1);
    bool effects = false;
    for (const NodeId id : schedule(*graph_)) {
      const Node& node = graph_->node(id);
      const OpInfo& row = info(node.op);
      if (row.is(kEffect) && !effects) {
        effects = true;
        keep_outputs();
        code_.first_effect = steps_.size();
      }
      first_step_[id] = static_cast<int>(steps_.size());
      if (row.rule->lower != nullptr) {
        LowerContext context(*graph_, id, slot_of_, kernels_, options_.workers, steps_, workspaces_, next_slot_);
        row.rule->lower(context);
        if (row.is(kEffect)) mark_written(node);
      } else {
        check(row.is(kSource | kView), Code::internal,
              [&] { return std::string("lower: ") + row.name + " is not fused"; });
      }
      last_step_[id] = static_cast<int>(steps_.size()) - 1;
    }
    if (!effects) code_.first_effect = steps_.size();
    code_.bindings.resize(next_slot_);
    bytes_.resize(next_slot_, 0);
    for (const Workspace& workspace : workspaces_) bytes_[workspace.slot] = workspace.bytes;
  }

  // A result that is a variable itself is copied before an effect changes it.
  void keep_outputs() {
    for (const Output& output : graph_->outputs) {
      const Slot from = slot_of_[output.value];
      if (code_.bindings[from].kind != Binding::Kind::variable) continue;
      const Slot to = next_slot_++;
      const Index bytes = graph_->type(output.value).bytes();
      workspaces_.push_back({to, bytes, -1});
      copies_.push_back({output.value, to});
      steps_.push_back(
          {-1, Op::stop_gradient, "copy of a result", {0, 2.0 * static_cast<double>(bytes)}, [=](Execution& run) {
             std::memcpy(run.at(to), run.at(from), static_cast<std::size_t>(bytes));
           }});
    }
  }

  void choose_outputs() {
    for (const Output& output : graph_->outputs) {
      code_.outputs.push_back({output.name, graph_->type(output.value)});
      Slot slot = slot_of_[output.value];
      for (const auto& [value, copy] : copies_) {
        if (value == output.value) slot = copy;
      }
      code_.output_slots.push_back(slot);
    }
  }

  // What a node changes: `written` is a list of variable slots, kept by the rule that made the node.
  void mark_written(const Node& node) {
    for (const Index slot : node.attrs.list("written", {})) code_.written[slot] = true;
    if (node.op == Op::assign) code_.written[node.attrs.integer("slot")] = true;
  }

  std::vector<Lifetime> lifetimes() {
    const int end = static_cast<int>(steps_.size());
    std::vector<Lifetime> lives(next_slot_, Lifetime{0, end, -1, -1});
    const auto touch = [&](Slot slot, int from, int to) {
      lives[slot].first = std::min(lives[slot].first, from);
      lives[slot].last = std::max(lives[slot].last, to);
    };
    for (NodeId id = 0; id < static_cast<NodeId>(graph_->nodes().size()); ++id) {
      const Node& node = graph_->node(id);
      if (last_step_[id] < first_step_[id]) continue;
      for (const ValueId input : node.inputs) touch(slot_of_[input], first_step_[id], last_step_[id]);
      for (int i = 0; i < node.output_count; ++i) touch(slot_of_[node.output(i)], first_step_[id], last_step_[id]);
    }
    for (const Workspace& workspace : workspaces_) {
      if (workspace.node >= 0) {
        touch(workspace.slot, first_step_[workspace.node], last_step_[workspace.node]);
      } else {
        touch(workspace.slot, 0, end);
      }
    }
    for (const Slot slot : code_.output_slots) touch(slot, end, end);
    for (Slot slot = 0; slot < next_slot_; ++slot) {
      lives[slot].bytes = code_.bindings[slot].kind == Binding::Kind::arena ? bytes_[slot] : 0;
    }
    return lives;
  }

  // A fused node's last result may take the memory of an operand that it is the last to read, element for element.
  void reuse_operands(std::vector<Lifetime>& lives) {
    std::vector<bool> taken(next_slot_, false);
    for (NodeId id = 0; id < static_cast<NodeId>(graph_->nodes().size()); ++id) {
      const Node& node = graph_->node(id);
      if (node.op != Op::fused) continue;
      const Slot result = slot_of_[node.output()];
      for (const ValueId input : node.inputs) {
        const Slot slot = slot_of_[input];
        const bool same = graph_->type(input).shape == graph_->type(node.output()).shape &&
                          size_of(graph_->type(input).dtype) == size_of(graph_->type(node.output()).dtype);
        if (!same || taken[slot] || lives[slot].bytes == 0 || lives[slot].last != first_step_[id]) continue;
        if (slot > result) continue;  // an earlier item only
        lives[result].reuse = slot;
        taken[slot] = true;
        break;
      }
    }
  }

  void plan() {
    std::vector<Lifetime> lives = lifetimes();
    reuse_operands(lives);
    const Placement placement = place(lives);
    for (Slot slot = 0; slot < next_slot_; ++slot) {
      if (code_.bindings[slot].kind == Binding::Kind::arena) code_.bindings[slot].index = placement.offsets[slot];
    }
    code_.arena_bytes = placement.arena_bytes;
    code_.report.arena_bytes = placement.arena_bytes;
    code_.report.unplanned_bytes = placement.unplanned_bytes;
  }

  void report() {
    for (Step& step : steps_) {
      std::string detail = step.detail;
      if (step.node >= 0) {
        const Node& node = graph_->node(step.node);
        if (detail.empty()) detail = node.attrs.text("fused", "");
        if (!node.scope.empty()) detail += (detail.empty() ? "in " : " in ") + node.scope;
        if (node.output_count > 0)
          detail = to_string(graph_->type(node.output())) + (detail.empty() ? "" : " ") + detail;
      }
      code_.report.steps.push_back(
          {step.node < 0 ? "copy" : info(step.op).name, detail, step.work.flops, step.work.bytes});
      code_.steps.push_back(std::move(step.run));
    }
    code_.report.graph = print_text(*graph_);
  }

  std::shared_ptr<const Graph> graph_;
  CompileOptions options_;
  const KernelTable& kernels_;
  std::vector<Slot> slot_of_;
  std::vector<Index> bytes_;
  std::vector<Step> steps_;
  std::vector<Workspace> workspaces_;
  std::vector<int> first_step_, last_step_;
  std::vector<std::pair<ValueId, Slot>> copies_;
  Slot next_slot_ = 0;
  Executable code_;
};

}  // namespace

Capabilities CpuBackend::capabilities() const { return {"cpu", kernel_table().isa, threads()}; }

std::shared_ptr<Block> CpuBackend::allocate(Index bytes) { return std::make_shared<Block>(bytes); }

void CpuBackend::copy(void* to, const void* from, Index bytes) {
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

std::unique_ptr<Program> CpuBackend::lower(const Graph& graph, const CompileOptions& options) {
  auto compiled = std::make_shared<const Graph>(
      options.optimize ? optimize(graph, evaluate) : fuse_elementwise(eliminate_dead(graph), {false, false}));
  return std::make_unique<CpuProgram>(Lowering(std::move(compiled), options).run());
}

Backend& cpu() {
  static CpuBackend backend;
  return backend;
}

std::vector<std::vector<std::byte>> evaluate(const Graph& graph) {
  const auto program = cpu().lower(graph, {1, false});
  std::vector<std::vector<std::byte>> results;
  std::vector<void*> pointers;
  for (const Port& output : program->outputs()) results.emplace_back(static_cast<std::size_t>(output.type.bytes()));
  for (auto& result : results) pointers.push_back(result.data());
  Sequential sequential;
  RunRequest request;
  request.results = pointers;
  request.parallel = &sequential;
  program->run(request);
  return results;
}

std::vector<PassSnapshot> explain_passes(const Graph& graph) {
  std::vector<PassSnapshot> snapshots;
  optimize(graph, evaluate, &snapshots);
  return snapshots;
}

}  // namespace athanor
