// What callers of a communicator do: on their threads, under its lock.
#include "comm/communicator.h"

#include "base/sentence.h"
#include "comm/pending.h"
#include "runtime/spin.h"

namespace athanor::comm {
std::string to_string(const Label& label) {
  std::string text = label.name + (label.detail.empty() ? "" : " of " + label.detail);
  text += " (" + grouped(label.bytes) + " bytes)";
  return label.step < 0 ? text : text + " in step " + std::to_string(label.step);
}

std::string named_rank(const Communicator& communicator, int rank) {
  return "rank " + std::to_string(rank) + " (" + communicator.hosts()[static_cast<std::size_t>(rank)] + ")";
}

Communicator::Communicator(std::function<std::unique_ptr<Transport>()> make, std::chrono::milliseconds deadline)
    : deadline_(deadline) {
  thread_ = std::thread([this, make = std::move(make)] { serve(make); });
  begun_.wait(0);
  if (begun_ == 1) return;
  thread_.join();
  std::rethrow_exception(could_not_begin_);
}

Communicator::~Communicator() { close(0); }

std::shared_ptr<Group> Communicator::split(const std::vector<std::vector<int>>& groups) {
  const std::lock_guard lock(mutex_);
  if (const auto known = known_groups_.find(groups); known != known_groups_.end()) return known->second;
  const int number = ++groups_;
  check(number < 15, Code::argument, [] { return "parallel: at most 14 groups of ranks"; });
  std::shared_ptr<Group> found;
  std::vector<bool> taken(static_cast<std::size_t>(size()), false);
  for (const std::vector<int>& ranks : groups) {
    for (std::size_t place = 0; place < ranks.size(); ++place) {
      const int member = ranks[place];
      check(member >= 0 && member < size() && !taken[static_cast<std::size_t>(member)], Code::argument, [&] {
        return "parallel: a group of ranks names " + std::to_string(member) + ", expected each of 0 to " +
               std::to_string(size() - 1) + " at most once";
      });
      taken[static_cast<std::size_t>(member)] = true;
      if (member == rank()) found = std::make_shared<Group>(ranks, static_cast<int>(place), number);
    }
  }
  known_groups_.emplace(groups, found);
  return found;
}

int Group::next_tag(int channel) {
  const bool world = number_ == 0;
  const int first = world ? 1 : 16384 + (number_ - 1) * 1024;
  // Two tags an operation, and so many operations until a tag comes again: far more than are ever under way.
  const int span = world ? 8000 : 500;
  if (channel >= 0) return first + 2 * (span + channel);
  return first + 2 * (next_++ % span);
}

Communicator::Ticket Communicator::start(const std::shared_ptr<Group>& group, Label label,
                                         std::unique_ptr<Operation> operation, std::shared_ptr<const void> keep,
                                         int channel) {
  auto ticket = std::make_shared<Pending>();
  ticket->label = std::move(label);
  ticket->operation = std::move(operation);
  ticket->group = group;
  ticket->keep = std::move(keep);
  const std::lock_guard lock(mutex_);
  ticket->tag = group->next_tag(channel);
  if (failure_) {
    ticket->settle(2);
    return ticket;
  }
  given_.push_back(ticket);
  called_ = true;
  wake_.notify_one();
  return ticket;
}

void Communicator::wait(const Ticket& ticket) {
  const auto settled = [&] { return ticket->state.load(std::memory_order_acquire) != 0; };
  ticket->awaited.store(true, std::memory_order_relaxed);
  if (!spin_until(settled)) ticket->state.wait(0);
  if (ticket->state == 1) return;
  throw Error(Code::communication, failure()->sentence);
}

void Communicator::fail(const std::string& operation, std::int64_t step, const std::string& sentence) {
  const std::string in_step = step < 0 ? "" : " in step " + std::to_string(step);
  note_failure({rank(), hosts_[static_cast<std::size_t>(rank())], operation, step,
                named_rank(*this, rank()) + " failed" + in_step + ": " + sentence},
               true);
}

std::optional<Failure> Communicator::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Communicator::note_failure(Failure failure, bool tell) {
  const std::lock_guard lock(mutex_);
  if (failure_) return;
  failure_ = failure;
  if (tell) to_tell_ = std::move(failure);
  called_ = true;
  wake_.notify_one();
}

std::map<std::string, LedgerRow> Communicator::ledger() const {
  const std::lock_guard lock(mutex_);
  return ledger_;
}

void Communicator::clear_ledger() {
  const std::lock_guard lock(mutex_);
  ledger_.clear();
}

void Communicator::close(int exit_code) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    closing_ = exit_code;
    called_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

}  // namespace athanor::comm
