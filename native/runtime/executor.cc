#include "runtime/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/error.h"
#include "runtime/denormals.h"

namespace athanor {
namespace {

// Lends at most `limit` workers of another pool: a program's workspaces are sized for the number it was compiled for.
class Limited final : public Parallel {
 public:
  Limited(Parallel& inner, int limit) : inner_(inner), limit_(limit) {}
  int workers() const override { return std::min(limit_, inner_.workers()); }
  void run(int tasks, FunctionRef<void(int task, int worker)> body) override {
    if (inner_.workers() <= limit_) {
      inner_.run(tasks, body);
    } else {
      for (int task = 0; task < tasks; ++task) body(task, 0);
    }
  }

 private:
  Parallel& inner_;
  int limit_;
};

}  // namespace

CpuProgram::CpuProgram(Executable executable)
    : code_(std::move(executable)),
      arena_(std::make_shared<Block>(code_.arena_bytes)),
      slots_(code_.bindings.size(), nullptr) {
  held_.held.reserve(code_.variables.size());
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    const Binding& binding = code_.bindings[slot];
    if (binding.kind == Binding::Kind::arena) slots_[slot] = arena_->data() + binding.index;
    if (binding.kind == Binding::Kind::constant) {
      slots_[slot] = const_cast<std::byte*>(code_.constants[binding.index]->data());  // no step writes to a constant
    }
  }
}

void CpuProgram::bind(const RunRequest& request) {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    const Binding& binding = code_.bindings[slot];
    if (binding.kind == Binding::Kind::variable) slots_[slot] = code_.variables[binding.index]->data();
    if (binding.kind == Binding::Kind::feed) {
      slots_[slot] = static_cast<std::byte*>(const_cast<void*>(request.feeds[binding.index]));  // nor to a feed
    }
  }
}

void CpuProgram::prepare(Parallel& parallel) {
  for (Prepared& prepared : code_.prepared) {
    refresh(prepared, parallel);
    slots_[prepared.slot] = prepared.block->data();
  }
}

// Versions only grow, so that their sum tells whether any of them did.
void CpuProgram::refresh(Prepared& prepared, Parallel& parallel) {
  std::uint64_t version = 0;
  for (const Slot slot : prepared.operands) {
    const Binding& binding = code_.bindings[slot];
    if (binding.kind == Binding::Kind::variable) version += code_.variables[binding.index]->version();
  }
  if (prepared.block != nullptr && prepared.version == version) return;
  Variable* owner = nullptr;
  std::string key = prepared.key;
  std::vector<const std::byte*> operands;
  for (const Slot slot : prepared.operands) {
    operands.push_back(slots_[slot]);
    const Binding& binding = code_.bindings[slot];
    if (binding.kind != Binding::Kind::variable) continue;
    Variable* variable = code_.variables[binding.index].get();
    if (owner != nullptr) key += " with " + std::to_string(reinterpret_cast<std::uintptr_t>(variable));
    if (owner == nullptr) owner = variable;
  }
  const auto make = [&] { return std::make_shared<const Block>(prepared.make(operands, parallel)); };
  prepared.block = owner == nullptr ? make() : owner->prepared(key, version, make);
  prepared.version = version;
}

// Told before the effects, under the exclusive locks: nobody reads between, and an effect that throws may have changed some.
void CpuProgram::note_changes() {
  for (std::size_t i = 0; i < code_.variables.size(); ++i) {
    if (code_.written[i]) code_.variables[i]->touch();
  }
}

void CpuProgram::deliver(const RunRequest& request) const {
  for (std::size_t i = 0; i < code_.output_slots.size(); ++i) {
    const std::size_t bytes = static_cast<std::size_t>(code_.outputs[i].type.bytes());
    if (request.results.size() > i && request.results[i] != nullptr && bytes > 0) {
      std::memcpy(request.results[i], slots_[code_.output_slots[i]], bytes);
    }
  }
}

template <class Around>
void CpuProgram::execute(const RunRequest& request, Around&& around) {
  check(request.feeds.size() == code_.inputs.size(), Code::internal,
        [] { return "a run got the wrong number of feeds"; });
  const std::lock_guard lock(mutex_);
  const ArenaLocks arenas(code_, held_);
  const FlushDenormals flush;
  bind(request);
  Limited parallel(*request.parallel, code_.workers);
  if (!code_.prepared.empty()) prepare(*request.parallel);  // much work even where a run is little
  Execution execution(slots_.data(), parallel, request.seed, request.step, request.first_row, request.rows, &arena_);
  try {
    for (std::size_t i = 0; i < code_.steps.size(); ++i) {
      if (request.cancelled != nullptr && i <= code_.first_effect &&
          request.cancelled->load(std::memory_order_relaxed)) {
        throw Error(Code::aborted, "run: aborted");
      }
      if (i == code_.first_effect) note_changes();
      around(i, [&] { code_.steps[i](execution); });
    }
  } catch (...) {
    execution.abandon();
    throw;
  }
  deliver(request);
}

void CpuProgram::run(const RunRequest& request) {
  execute(request, [](std::size_t, auto&& step) { step(); });
}

std::vector<double> CpuProgram::profile(const RunRequest& request) {
  using clock = std::chrono::steady_clock;
  std::vector<double> seconds(code_.steps.size());
  execute(request, [&](std::size_t i, auto&& step) {
    const auto start = clock::now();
    step();
    seconds[i] = std::chrono::duration<double>(clock::now() - start).count();
  });
  return seconds;
}

}  // namespace athanor
