#include "comm/thread_transport.h"

#include <atomic>
#include <cstring>
#include <deque>
#include <mutex>

#include "base/error.h"

namespace athanor::comm {
namespace {

struct Delivery {
  int from, tag;
  const void* data;
  Index bytes;
  std::atomic<bool> done{false};
};

struct Wanted {
  int from, tag;
  void* data;
  Index bytes;
  std::atomic<bool> done{false};
  std::atomic<bool> misfit{false};
};

struct Box {
  std::mutex mutex;
  std::deque<std::shared_ptr<Delivery>> sent;
  std::deque<std::shared_ptr<Wanted>> wanted;
};

struct Hub {
  explicit Hub(int size) : boxes(static_cast<std::size_t>(size)) {}
  std::deque<Box> boxes;  // of every receiver
  std::atomic<int> aborted{-1};
};

void hand_over(Delivery& delivery, Wanted& wanted) {
  if (delivery.bytes == wanted.bytes) {
    if (delivery.bytes > 0) std::memcpy(wanted.data, delivery.data, static_cast<std::size_t>(delivery.bytes));
  } else {
    wanted.misfit = true;
  }
  wanted.done = true;
  delivery.done = true;
}

class ThreadTransport final : public Transport {
 public:
  ThreadTransport(std::shared_ptr<Hub> hub, int rank) : hub_(std::move(hub)), rank_(rank) {}

  std::string name() const override { return size() == 1 ? "one rank alone" : "threads"; }
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(hub_->boxes.size()); }
  std::string host() const override { return "thread"; }

  void send(int to, int tag, const void* data, Index bytes, Message& message) override {
    auto delivery = std::make_shared<Delivery>();
    delivery->from = rank_;
    delivery->tag = tag;
    delivery->data = data;
    delivery->bytes = bytes;
    message.delivery = delivery;
    message.active = true;
    Box& box = hub_->boxes[static_cast<std::size_t>(to)];
    const std::lock_guard lock(box.mutex);
    for (auto at = box.wanted.begin(); at != box.wanted.end(); ++at) {
      if ((*at)->from != rank_ || (*at)->tag != tag) continue;
      const std::shared_ptr<Wanted> wanted = *at;
      box.wanted.erase(at);
      hand_over(*delivery, *wanted);
      return;
    }
    box.sent.push_back(std::move(delivery));
  }

  void receive(int from, int tag, void* data, Index bytes, Message& message) override {
    auto wanted = std::make_shared<Wanted>();
    wanted->from = from;
    wanted->tag = tag;
    wanted->data = data;
    wanted->bytes = bytes;
    message.delivery = wanted;
    message.active = true;
    message.handle[0] = std::byte{1};  // a receive
    Box& box = hub_->boxes[static_cast<std::size_t>(rank_)];
    const std::lock_guard lock(box.mutex);
    for (auto at = box.sent.begin(); at != box.sent.end(); ++at) {
      if ((*at)->from != from || (*at)->tag != tag) continue;
      const std::shared_ptr<Delivery> delivery = *at;
      box.sent.erase(at);
      hand_over(*delivery, *wanted);
      return;
    }
    box.wanted.push_back(std::move(wanted));
  }

  bool test(Message& message) override {
    if (!message.active) return true;
    const bool receives = message.handle[0] == std::byte{1};
    const bool done = receives ? static_cast<Wanted*>(message.delivery.get())->done.load()
                               : static_cast<Delivery*>(message.delivery.get())->done.load();
    if (!done) {
      const int aborted = hub_->aborted.load();
      check(aborted < 0, Code::communication, [&] { return "rank " + std::to_string(aborted) + " aborted"; });
      return false;
    }
    const bool misfit = receives && static_cast<Wanted*>(message.delivery.get())->misfit.load();
    message.delivery.reset();
    message.handle[0] = std::byte{0};
    message.active = false;
    check(!misfit, Code::communication, [] { return "a message of another length came than was expected"; });
    return true;
  }

  [[noreturn]] void abort(int) override {
    hub_->aborted = rank_;
    throw Error(Code::communication, "rank " + std::to_string(rank_) + " aborted");
  }

  void finish() override {}

 private:
  std::shared_ptr<Hub> hub_;
  int rank_;
};

}  // namespace

std::vector<std::unique_ptr<Transport>> make_thread_transports(int size) {
  auto hub = std::make_shared<Hub>(size);
  std::vector<std::unique_ptr<Transport>> ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<ThreadTransport>(hub, rank));
  return ranks;
}

}  // namespace athanor::comm
