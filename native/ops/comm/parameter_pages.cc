#include "ops/comm/parameter_pages.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <mutex>

#include "base/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace athanor {
namespace {

// Gives the whole pages within a range back: they read as zeros, and take memory again when they are written to. Whether that can be done here.
#if defined(__linux__)
constexpr bool kGivesBack = true;
void give_back(float* begin, float* end) {
  static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const std::uintptr_t from = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
  const std::uintptr_t to = reinterpret_cast<std::uintptr_t>(end) / page * page;
  if (from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}
#else
constexpr bool kGivesBack = false;
void give_back(float*, float*) {}
#endif

}  // namespace

ParameterPages::ParameterPages(std::shared_ptr<OptimizerState> optimizer) : optimizer_(std::move(optimizer)) {
  check(optimizer_->parts().has_value(), Code::internal, [] { return "optim: the states are not divided"; });
  hold_everything(true);
}

int ParameterPages::piece_of(const Variable& variable) const {
  const auto& variables = optimizer_->variables();
  const auto found =
      std::find_if(variables.begin(), variables.end(), [&](const auto& v) { return v.get() == &variable; });
  return found == variables.end() ? -1 : optimizer_->parts()->bucket_of(static_cast<int>(found - variables.begin()));
}

void ParameterPages::begin_program() { recorded_.clear(); }
void ParameterPages::note_need(int piece) { recorded_.push_back({true, piece}); }
void ParameterPages::note_delivery(int bucket) { recorded_.push_back({false, bucket}); }

void ParameterPages::end_program() {
  if (recorded_.empty()) return;  // a pass has made it, to fold constants
  check(!has_sequence_ || recorded_ == sequence_, Code::unsupported, [] {
    return "parallel.data: with zero: 3 a step reads parameters in the same order whatever the rows of a shard, and "
           "this model does not; use a batchSize that shards and samples divide evenly, dropLast, or zero: 2";
  });
  sequence_ = recorded_;
  has_sequence_ = true;
}

void ParameterPages::begin_shard(std::int64_t step) {
  step_ = step;
  at_ = 0;
}

// Calls visit(begin, end) for the elements of a piece that are other ranks'.
template <class Visit>
void ParameterPages::for_each_of_others(int piece, Visit visit) const {
  const StateParts& parts = *optimizer_->parts();
  float* values = reinterpret_cast<float*>(optimizer_->arena()->buffer.host());
  const comm::ElementRange bucket = parts.bucket(piece), own = parts.own_run(piece);
  visit(values + bucket.begin, values + own.begin);
  visit(values + own.end, values + bucket.end);
}

Index ParameterPages::of_others(int piece) const {
  const comm::ElementRange bucket = optimizer_->parts()->bucket(piece), own = optimizer_->parts()->own_run(piece);
  return bucket.end - bucket.begin - (own.end - own.begin);
}

// All ranks start the same pieces in the same order, some a little sooner.
void ParameterPages::start(int piece) {
  coming_.emplace(piece, optimizer_->parts()->start_gather(piece, optimizer_->arena(), step_));
  if (kGivesBack) resident_ += of_others(piece);
}

void ParameterPages::take(int piece) {
  if (!coming_.contains(piece)) start(piece);
  const comm::Communicator::Ticket ticket = coming_.at(piece);
  coming_.erase(piece);
  optimizer_->parts()->group().communicator().wait(ticket);
  there_.insert(piece);
}

// What is needed next is gathered while this is read.
void ParameterPages::start_next() {
  const auto next = std::find_if(sequence_.begin() + static_cast<std::ptrdiff_t>(at_), sequence_.end(),
                                 [](const Event& event) { return event.is_need; });
  if (next != sequence_.end() && !there_.contains(next->number) && !coming_.contains(next->number)) start(next->number);
}

void ParameterPages::need(int piece) {
  ++at_;
  if (whole_) return;
  if (!there_.contains(piece)) take(piece);
  start_next();
}

void ParameterPages::drop(int piece) {
  if (whole_ || there_.erase(piece) == 0) return;
  for_each_of_others(piece, give_back);
  if (kGivesBack) resident_ -= of_others(piece);
}

void ParameterPages::finish_shard(GradientExchange& exchange, Parallel& parallel) {
  while (at_ < sequence_.size()) {
    const Event event = sequence_[at_];
    if (event.is_need) {
      need(event.number);
      drop(event.number);
    } else {
      exchange.deliver(event.number, {}, 0, parallel);
    }
  }
  for (const int piece : std::set<int>(there_)) drop(piece);
}

void ParameterPages::hold_everything(bool holds) {
  const StateParts& parts = *optimizer_->parts();
  Index elements = 0;
  for (int piece = 0; piece < parts.buckets(); ++piece) {
    const comm::ElementRange bucket = parts.bucket(piece);
    elements += bucket.end - bucket.begin - (holds || !kGivesBack ? 0 : of_others(piece));
  }
  resident_ = elements;
  whole_ = holds;
}

void ParameterPages::stepped() {
  there_.clear();
  for (int piece = 0; piece < optimizer_->parts()->buckets(); ++piece) for_each_of_others(piece, give_back);
  hold_everything(false);
}

void ParameterPages::gather_all() {
  if (whole_) return;
  const StateParts& parts = *optimizer_->parts();
  const std::unique_lock lock(optimizer_->arena()->mutex);
  parts.gather(optimizer_->arena(), optimizer_->steps());
  for (const auto& variable : optimizer_->variables()) variable->touch();
  hold_everything(true);
}

void ParameterPages::leave() {
  if (whole_) return;
  wait_for_all();
  const std::unique_lock lock(optimizer_->arena()->mutex);
  for (int piece = 0; piece < optimizer_->parts()->buckets(); ++piece) {
    for_each_of_others(
        piece, [](float* begin, float* end) { std::fill(begin, end, std::numeric_limits<float>::quiet_NaN()); });
  }
  for (const auto& variable : optimizer_->variables()) variable->touch();
  hold_everything(true);
}

// A run that has failed may have left some under way.
void ParameterPages::wait_for_all() {
  for (const auto& [piece, ticket] : std::map(std::move(coming_))) {
    try {
      optimizer_->parts()->group().communicator().wait(ticket);
    } catch (const Error&) {  // the run has reported it
    }
  }
  coming_.clear();
}

}  // namespace athanor
