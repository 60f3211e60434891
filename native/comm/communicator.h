// Ranks that work together. One thread of its own makes every call of the transport and moves all operations on; who wants a
// result waits for a ticket. Operations are begun in the order in which they are given, which must be the same on all ranks of a group.
//
// What goes wrong anywhere reaches everyone: a rank that fails, leaves or keeps others waiting past the deadline is told of to all,
// and every ticket of every rank ends with one error that names rank, host, operation and step.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "comm/notices.h"
#include "comm/operation.h"

namespace athanor::comm {

// Some of the ranks, with tags of their own. Rank 0 of a group is its first member.
class Group {
 public:
  Group(std::vector<int> ranks, int own, int number) : ranks_(std::move(ranks)), own_(own), number_(number) {}
  int rank() const { return own_; }
  int size() const { return static_cast<int>(ranks_.size()); }
  const std::vector<int>& ranks() const { return ranks_; }

 private:
  friend class Communicator;
  int next_tag(int channel);

  std::vector<int> ranks_;
  int own_;
  int number_;
  int next_ = 0;
};

// Why the ranks can work together no longer.
struct Failure {
  int rank = 0;  // where it began
  std::string host;
  std::string operation;
  std::int64_t step = -1;
  std::string sentence;
};

struct LedgerRow {
  std::uint64_t calls = 0;
  Index sent = 0, received = 0;  // bytes of this rank
  double seconds = 0;            // from begin to end
};

class Communicator {
 public:
  struct Pending;
  using Ticket = std::shared_ptr<Pending>;
  using Clock = std::chrono::steady_clock;

  // Makes the transport on the thread of its own and waits for it. Throws what that throws; Code::communication when the others do
  // not come within the deadline.
  Communicator(std::function<std::unique_ptr<Transport>()> make, std::chrono::milliseconds deadline);
  ~Communicator();

  int rank() const { return world_->rank(); }
  int size() const { return world_->size(); }
  const std::string& name() const { return name_; }
  const std::vector<std::string>& hosts() const { return hosts_; }
  const std::shared_ptr<Group>& world() const { return world_; }

  // A group of these ranks of the world, in this order; null where this rank is not among them. All ranks make the same groups in the
  // same order.
  std::shared_ptr<Group> group(std::vector<int> ranks) { return split({std::move(ranks)}); }

  // Several groups without a common member, which take one number among those that there are; the one that this rank is in. The same
  // groups asked for again are the same group.
  std::shared_ptr<Group> split(const std::vector<std::vector<int>>& groups);

  void set_deadline(std::chrono::milliseconds deadline) { deadline_ = deadline; }

  // `keep`: what holds the operation's memory. After a failure a message may still come late, so it is then kept for good.
  // With a `channel`, 0 to 11, the order is that of the operations of this channel between two ranks alone: for messages from one
  // rank to another, whose other messages and collectives need not come in the same order on both.
  Ticket start(const std::shared_ptr<Group>& group, Label label, std::unique_ptr<Operation> operation,
               std::shared_ptr<const void> keep = nullptr, int channel = -1);
  // Throws Code::communication when it failed, here or anywhere.
  void wait(const Ticket& ticket);
  void run(const std::shared_ptr<Group>& group, Label label, std::unique_ptr<Operation> operation) {
    wait(start(group, std::move(label), std::move(operation)));
  }

  // Tells all ranks that this one cannot go on, and why; everything under way ends there with this sentence.
  void fail(const std::string& operation, std::int64_t step, const std::string& sentence);
  std::optional<Failure> failure() const;

  // The end of this rank: the others are told. After a failure, or with a code that is not 0, the job is aborted once they
  // had a moment to say so themselves; otherwise it waits for all to come to their end. For the end of the process alone.
  void close(int exit_code);

  std::map<std::string, LedgerRow> ledger() const;
  void clear_ledger();

 private:
  void serve(const std::function<std::unique_ptr<Transport>()>& make);
  void exchange_hosts(Transport& transport);
  void loop(Transport& transport);
  void take_given(Transport& transport);
  bool advance_all();
  void heed_notices(NoticeBoard& board);
  void check_waiting(NoticeBoard& board);
  void note_failure(Failure failure, bool tell);
  void end_all();
  void leave(Transport& transport, NoticeBoard& board, int exit_code);

  std::string name_;
  std::vector<std::string> hosts_;
  std::shared_ptr<Group> world_;
  std::atomic<std::chrono::milliseconds> deadline_;
  int groups_ = 0;
  std::map<std::vector<std::vector<int>>, std::shared_ptr<Group>> known_groups_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Ticket> given_;       // not yet begun
  std::optional<Failure> failure_;  // the first
  std::optional<Failure> to_tell_;  // of this rank, not yet sent
  std::map<std::string, LedgerRow> ledger_;
  std::optional<int> closing_;
  std::atomic<bool> called_{false};  // something is given, to be told or to be closed: what the thread looks at

  // Of the thread alone.
  std::vector<Ticket> active_;
  std::vector<Ticket> broken_;            // messages of theirs may still come
  std::vector<Clock::time_point> lived_;  // when each rank last said that it lives
  std::exception_ptr could_not_begin_;
  std::atomic<int> begun_{0};  // 0 not yet, 1 there, 2 not to be had
  std::thread thread_;
};

// "rank 2 (node7)"
std::string named_rank(const Communicator& communicator, int rank);

}  // namespace athanor::comm
