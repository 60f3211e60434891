// The one thread of a communicator, which makes every call of its transport: it begins what is given, moves on what is under way, heeds
// what other ranks tell, and ends with the process.
#include <algorithm>
#include <cstring>

#include "comm/pending.h"
#include "comm/transfers.h"
#include "runtime/spin.h"

#if defined(__linux__)
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace athanor::comm {
namespace {

using namespace std::chrono_literals;

constexpr auto kGrace = 1s;                        // for the others to say why they end, before the job is aborted
constexpr auto kAnswer = 500ms;                    // for a rank to say that it lives
constexpr auto kIdleLook = 20ms;                   // between two looks at notices when nothing is under way
constexpr auto kSoonLook = 5us, kBusyLook = 50us;  // between two looks at messages while this rank computes

// A thread that works for microseconds at a time and must not wait for the end of a slice of those that compute on the same core: it
// asks for a short slice (Linux 6.12 on; others ignore it), with which a sleeper that wakes is taken at once.
void ask_for_short_slices() {
#if defined(__linux__) && defined(SYS_sched_setattr)
  struct {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
  } attributes{};
  attributes.size = sizeof(attributes);
  attributes.nice = getpriority(PRIO_PROCESS, 0);
  attributes.runtime = 100'000;  // ns
  syscall(SYS_sched_setattr, 0, &attributes, 0U);
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);  // ns
#endif
}

std::string seconds_of(std::chrono::milliseconds time) {
  const auto tenths = (time.count() + 50) / 100;
  return std::to_string(tenths / 10) + (tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10)) + " s";
}

// Messages move only while somebody looks at them. Where a thread waits for them it has left its core to this one; where all of them compute,
// who yields to them is back a slice later, some milliseconds: this one sleeps a moment and is woken.
void pause(const std::vector<Communicator::Ticket>& active) {
  const bool awaited =
      std::any_of(active.begin(), active.end(), [](const auto& ticket) { return ticket->awaited.load(); });
  if (awaited || active.empty()) return std::this_thread::yield();
  auto moved = active.front()->last_moved;
  for (const auto& ticket : active) moved = std::max(moved, ticket->last_moved);
  const auto still = std::chrono::duration_cast<std::chrono::microseconds>(Communicator::Clock::now() - moved);
  std::this_thread::sleep_for(std::clamp<std::chrono::microseconds>(still, kSoonLook, kBusyLook));
}

}  // namespace

void Communicator::serve(const std::function<std::unique_ptr<Transport>()>& make) {
  std::unique_ptr<Transport> transport;
  try {
    transport = make();
    name_ = transport->name();
    std::vector<int> ranks(static_cast<std::size_t>(transport->size()));
    for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] = static_cast<int>(i);
    world_ = std::make_shared<Group>(std::move(ranks), transport->rank(), 0);
    exchange_hosts(*transport);
  } catch (...) {
    could_not_begin_ = std::current_exception();
    begun_ = 2;
    begun_.notify_all();
    return;
  }
  begun_ = 1;
  begun_.notify_all();
  loop(*transport);
}

// The first collective, before anything can be told: it has the deadline as well.
void Communicator::exchange_hosts(Transport& transport) {
  constexpr std::size_t kRoom = 256;
  const int ranks = transport.size();
  std::vector<char> names(kRoom * static_cast<std::size_t>(ranks), 0);
  std::vector<Piece> pieces;
  for (int rank = 0; rank < ranks; ++rank)
    pieces.push_back({rank, names.data() + kRoom * static_cast<std::size_t>(rank), kRoom});
  const std::string own = transport.host();
  std::memcpy(pieces[static_cast<std::size_t>(transport.rank())].data, own.data(), std::min(own.size(), kRoom - 1));
  Port port(transport, world_->ranks(), world_->rank(), 1 + 2 * (world_->next_++));
  const auto operation = all_gather(transport.rank(), pieces);
  const auto begun = Clock::now();
  while (!operation->advance(port)) {
    std::this_thread::yield();
    check(Clock::now() - begun < deadline_.load(), Code::communication, [&] {
      return "parallel: rank " + std::to_string(operation->waits_for()) + " did not come within " +
             seconds_of(deadline_.load()) + "; did its process start?";
    });
  }
  for (const Piece& piece : pieces) hosts_.emplace_back(static_cast<const char*>(piece.data));
}

void Communicator::loop(Transport& transport) {
  ask_for_short_slices();
  NoticeBoard board(transport);
  lived_.resize(static_cast<std::size_t>(transport.size()));
  unsigned rounds = 0;
  for (;;) {
    std::optional<int> closing;
    if (called_.exchange(false)) {
      take_given(transport);
      std::optional<Failure> failure;
      {
        const std::lock_guard lock(mutex_);
        failure.swap(to_tell_);
        closing = closing_;
      }
      if (failure) board.tell_all({Notice::Kind::failed, 0, failure->step, failure->operation, failure->sentence});
    }
    const bool moved = advance_all();
    if (active_.empty() || !moved || ++rounds % 16 == 0) heed_notices(board);
    check_waiting(board);
    {
      const std::lock_guard lock(mutex_);
      if (failure_) end_all();
    }
    if (closing) return leave(transport, board, *closing);
    if (!active_.empty() || !board.is_sent()) {
      if (!moved) pause(active_);
      continue;
    }
    if (spin_until([this] { return called_.load(); })) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kIdleLook, [this] { return called_.load(); });
  }
}

void Communicator::take_given(Transport& transport) {
  const std::lock_guard lock(mutex_);
  for (Ticket& ticket : given_) {
    ticket->port.emplace(transport, ticket->group->ranks_, ticket->group->own_, ticket->tag);
    ticket->begun = ticket->last_moved = Clock::now();
    active_.push_back(std::move(ticket));
  }
  given_.clear();
}

// Whether anything moved.
bool Communicator::advance_all() {
  bool moved = false;
  for (std::size_t i = 0; i < active_.size();) {
    Pending& pending = *active_[i];
    bool done = false;
    try {
      done = pending.operation->advance(*pending.port);
    } catch (const Error& error) {
      note_failure({rank(), hosts_[static_cast<std::size_t>(rank())], pending.label.name, pending.label.step,
                    named_rank(*this, rank()) + ": " + to_string(pending.label) + ": " + error.what()},
                   true);
      return true;
    }
    if (pending.port->moved != pending.moved) {
      pending.moved = pending.port->moved;
      pending.last_moved = Clock::now();
      moved = true;
    }
    if (!done) {
      ++i;
      continue;
    }
    moved = true;
    {
      const std::lock_guard lock(mutex_);
      LedgerRow& row = ledger_[pending.label.name];
      ++row.calls;
      row.sent += pending.port->sent;
      row.received += pending.port->received;
      row.seconds += std::chrono::duration<double>(Clock::now() - pending.begun).count();
    }
    const Ticket ticket = std::move(active_[i]);
    active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(i));
    ticket->operation.reset();
    ticket->keep.reset();
    ticket->settle(1);
  }
  return moved;
}

void Communicator::heed_notices(NoticeBoard& board) {
  Notice notice;
  int from = 0;
  try {
    while (board.next(notice, from)) {
      if (notice.kind == Notice::Kind::asks) board.tell(from, {Notice::Kind::lives, 0, -1, "", ""});
      if (notice.kind == Notice::Kind::lives) lived_[static_cast<std::size_t>(from)] = Clock::now();
      if (notice.kind != Notice::Kind::failed) continue;
      note_failure({from, hosts_[static_cast<std::size_t>(from)], notice.operation, notice.step, notice.sentence},
                   false);
    }
  } catch (const Error& error) {
    note_failure({rank(), hosts_[static_cast<std::size_t>(rank())], "notices", -1, error.what()}, true);
  }
}

// For whom an operation waits in vain: a rank that has left, or one that has not moved within the deadline. A rank that waits itself, such as
// a stage of a pipeline for the one behind it, answers that it lives: then the one that it waits for is blamed by it. One that lives
// and still does nothing has the deadline once more.
void Communicator::check_waiting(NoticeBoard& board) {
  if (active_.empty()) return;
  Pending& pending = *active_.front();
  const int waits_for = pending.operation->waits_for();
  if (waits_for < 0) return;
  const int other = pending.port->world_rank(waits_for);
  const auto blame = [&](const std::string& sentence) {
    note_failure({other, hosts_[static_cast<std::size_t>(other)], pending.label.name, pending.label.step, sentence},
                 true);
  };
  if (board.has_left(other)) {
    blame(named_rank(*this, other) + " has ended while " + named_rank(*this, rank()) + " waits for it in " +
          to_string(pending.label) + "; all ranks must take the same steps");
    return;
  }
  const auto deadline = deadline_.load();
  const auto now = Clock::now();
  if (now - pending.last_moved < deadline) return;
  if (!pending.asked || *pending.asked < pending.last_moved) {
    pending.asked = now;
    board.tell(other, {Notice::Kind::asks, 0, -1, "", ""});
  }
  const bool lives = lived_[static_cast<std::size_t>(other)] >= *pending.asked;
  if (lives ? now - pending.last_moved < 2 * deadline : now - *pending.asked < kAnswer) return;
  blame(named_rank(*this, other) + " did not answer " + named_rank(*this, rank()) + " within " + seconds_of(deadline) +
        " in " + to_string(pending.label) +
        ": it hangs, its host or link is down, or it is busy with something else; a longer deadline: "
        "parallel.data({ deadline })");
}

// Under the lock.
void Communicator::end_all() {
  for (Ticket& ticket : given_) ticket->settle(2);
  given_.clear();
  for (Ticket& ticket : active_) {
    ticket->settle(2);
    broken_.push_back(std::move(ticket));
  }
  active_.clear();
}

void Communicator::leave(Transport& transport, NoticeBoard& board, int exit_code) {
  try {
    if (exit_code != 0 && !failure()) {
      const std::string sentence = named_rank(*this, rank()) + " ended with exit code " + std::to_string(exit_code);
      board.tell_all({Notice::Kind::failed, exit_code, -1, "exit", sentence});
      note_failure({rank(), hosts_[static_cast<std::size_t>(rank())], "exit", -1, sentence}, false);
    }
    board.tell_all({Notice::Kind::left, exit_code, -1, "", ""});
    std::optional<Clock::time_point> failed_at;
    while (!board.all_left() || !board.is_sent()) {
      heed_notices(board);
      if (!failed_at && failure()) failed_at = Clock::now();
      if (failed_at && Clock::now() - *failed_at > kGrace) break;
      std::this_thread::sleep_for(1ms);
    }
    if (!failure()) return transport.finish();
    transport.abort(exit_code == 0 ? 1 : exit_code);
  } catch (const Error&) {
    // Ranks of one process end by an error of the transport; nobody is left to tell.
  }
  // What was under way may still be written to by messages that come late.
  static auto* kept = new std::vector<Ticket>;
  static std::mutex guard;
  const std::lock_guard lock(guard);
  for (Ticket& ticket : broken_) kept->push_back(std::move(ticket));
}

}  // namespace athanor::comm
