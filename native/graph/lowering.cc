#include "graph/lowering.h"

#include <algorithm>

#include "graph/attributes.h"
#include "graph/plan.h"
#include "graph/print.h"

namespace athanor {

bool NodeContext::is_used(int index) const {
  const ValueId value = node.output(index);
  for (const Node& other : graph.nodes()) {
    for (const ValueId input : other.inputs) {
      if (input == value) return true;
    }
  }
  for (const Output& result : graph.outputs) {
    if (result.value == value) return true;
  }
  return false;
}

Slot NodeContext::workspace(Index bytes) {
  const Slot slot = state_.next_slot++;
  state_.workspaces.push_back({slot, bytes, id_});
  return slot;
}

std::size_t NodeContext::enter(std::string detail, Work work) {
  if (work.bytes == 0) {
    for (int i = 0; i < input_count(); ++i) work.bytes += static_cast<double>(input_type(i).bytes());
    for (int i = 0; i < node.output_count; ++i) work.bytes += static_cast<double>(output_type(i).bytes());
  }
  state_.steps.push_back({id_, node.op, std::move(detail), work});
  return state_.steps.size() - 1;
}

std::string NodeContext::where() const {
  const std::string name = info(node.op).name;
  return node.scope.empty() ? name : name + " (in \"" + node.scope + "\")";
}

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

// One graph on its way to a Layout.
class Lowering {
 public:
  Lowering(std::shared_ptr<const Graph> graph, Emitter& emitter) : graph_(std::move(graph)), emitter_(emitter) {
    state_.slot_of.assign(graph_->value_count(), -1);
    state_.fixed.assign(graph_->value_count(), false);
  }

  Layout run() {
    code_.keep = std::const_pointer_cast<Graph>(graph_);
    code_.variables = graph_->variables();
    code_.written.assign(code_.variables.size(), false);
    for (const auto& constant : graph_->constants()) {
      code_.constants.emplace_back(constant, &constant->bytes);
    }
    for (const Node& node : graph_->nodes()) mark_written(node);
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
        state_.slot_of[node.output()] = new_slot({Binding::Kind::feed, static_cast<Index>(code_.inputs.size())});
        code_.inputs.push_back({attributes::input::of(node.attrs).name, graph_->type(node.output())});
      } else if (node.op == Op::parameter) {
        state_.slot_of[node.output()] = new_slot({Binding::Kind::variable, attributes::parameter::of(node.attrs).slot});
        state_.fixed[node.output()] = !code_.written[attributes::parameter::of(node.attrs).slot];
      } else if (node.op == Op::constant) {
        state_.slot_of[node.output()] = new_slot({Binding::Kind::constant, attributes::constant::of(node.attrs).slot});
        state_.fixed[node.output()] = true;
      } else if (info(node.op).is(kView | kWait)) {
        state_.slot_of[node.output()] = state_.slot_of[node.inputs[0]];
        state_.fixed[node.output()] = state_.fixed[node.inputs[0]];
      } else {
        for (int i = 0; i < node.output_count; ++i) {
          const Slot slot = new_slot({Binding::Kind::arena, 0});
          state_.slot_of[node.output(i)] = slot;
          bytes_.resize(code_.bindings.size(), 0);
          bytes_[slot] = graph_->type(node.output(i)).bytes();
        }
      }
    }
    state_.next_slot = static_cast<Slot>(code_.bindings.size());
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
        code_.first_effect = state_.steps.size();
      }
      first_step_[id] = static_cast<int>(state_.steps.size());
      if (!row.is(kSource | kView)) emitter_.lower(*graph_, id, state_);
      last_step_[id] = static_cast<int>(state_.steps.size()) - 1;
    }
    if (!effects) code_.first_effect = state_.steps.size();
    code_.bindings.resize(state_.next_slot);
    bytes_.resize(state_.next_slot, 0);
    for (const Workspace& workspace : state_.workspaces) bytes_[workspace.slot] = workspace.bytes;
    emitter_.bind(code_.bindings);
  }

  // A result that is a variable itself is copied before an effect changes it.
  void keep_outputs() {
    for (const Output& output : graph_->outputs) {
      const Slot from = state_.slot_of[output.value];
      if (code_.bindings[from].kind != Binding::Kind::variable) continue;
      const Slot to = state_.next_slot++;
      const Index bytes = graph_->type(output.value).bytes();
      state_.workspaces.push_back({to, bytes, -1});
      copies_.push_back({output.value, to});
      state_.steps.push_back({-1, Op::stop_gradient, "copy of a result", {0, 2.0 * static_cast<double>(bytes)}});
      emitter_.copy(to, from, bytes);
    }
  }

  void choose_outputs() {
    for (const Output& output : graph_->outputs) {
      code_.outputs.push_back({output.name, graph_->type(output.value)});
      Slot slot = state_.slot_of[output.value];
      for (const auto& [value, copy] : copies_) {
        if (value == output.value) slot = copy;
      }
      code_.output_slots.push_back(slot);
    }
  }

  // What a node changes: `written` is a list of variable slots, kept by the rule that made the node.
  void mark_written(const Node& node) {
    if (node.op == Op::optimizer_step)
      for (const Index slot : attributes::optimizer_step::of(node.attrs).written) code_.written[slot] = true;
    if (node.op == Op::assign) code_.written[attributes::assign::of(node.attrs).slot] = true;
  }

  std::vector<Lifetime> lifetimes() {
    const int end = static_cast<int>(state_.steps.size());
    std::vector<Lifetime> lives(state_.next_slot, Lifetime{0, end, -1, -1});
    const auto touch = [&](Slot slot, int from, int to) {
      lives[slot].first = std::min(lives[slot].first, from);
      lives[slot].last = std::max(lives[slot].last, to);
    };
    for (NodeId id = 0; id < static_cast<NodeId>(graph_->nodes().size()); ++id) {
      const Node& node = graph_->node(id);
      if (last_step_[id] < first_step_[id]) continue;
      for (const ValueId input : node.inputs) touch(state_.slot_of[input], first_step_[id], last_step_[id]);
      for (int i = 0; i < node.output_count; ++i)
        touch(state_.slot_of[node.output(i)], first_step_[id], last_step_[id]);
    }
    for (const Workspace& workspace : state_.workspaces) {
      if (workspace.node >= 0) {
        touch(workspace.slot, first_step_[workspace.node], last_step_[workspace.node]);
      } else {
        touch(workspace.slot, 0, end);
      }
    }
    for (const Slot slot : code_.output_slots) touch(slot, end, end);
    for (Slot slot = 0; slot < state_.next_slot; ++slot) {
      lives[slot].bytes = code_.bindings[slot].kind == Binding::Kind::arena ? bytes_[slot] : 0;
    }
    return lives;
  }

  // A fused node's last result may take the memory of an operand that it is the last to read, element for element.
  void reuse_operands(std::vector<Lifetime>& lives) {
    std::vector<bool> taken(state_.next_slot, false);
    for (NodeId id = 0; id < static_cast<NodeId>(graph_->nodes().size()); ++id) {
      const Node& node = graph_->node(id);
      if (node.op != Op::fused) continue;
      const Slot result = state_.slot_of[node.output()];
      for (const ValueId input : node.inputs) {
        const Slot slot = state_.slot_of[input];
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
    const Placement placement = place(lives, emitter_.alignment());
    for (Slot slot = 0; slot < state_.next_slot; ++slot) {
      if (code_.bindings[slot].kind == Binding::Kind::arena) code_.bindings[slot].index = placement.offsets[slot];
    }
    code_.arena_bytes = placement.arena_bytes;
    code_.report.arena_bytes = placement.arena_bytes;
    code_.report.unplanned_bytes = placement.unplanned_bytes;
  }

  void report() {
    for (const Step& step : state_.steps) {
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
    }
    code_.report.graph = print_text(*graph_);
  }

  std::shared_ptr<const Graph> graph_;
  Emitter& emitter_;
  LowerState state_;
  std::vector<Index> bytes_;
  std::vector<int> first_step_, last_step_;
  std::vector<std::pair<ValueId, Slot>> copies_;
  Layout code_;
};

}  // namespace

Layout lower(std::shared_ptr<const Graph> graph, Emitter& emitter) { return Lowering(std::move(graph), emitter).run(); }

}  // namespace athanor
