#include "runtime/queue.h"

#include "runtime/spin.h"

namespace athanor {

void RunQueue::submit(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  jobs_.push_back(std::move(job));
  is_wanted_ = true;
  if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  wake_.notify_one();
}

void RunQueue::stop() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    is_wanted_ = true;
    dropped.swap(jobs_);
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void RunQueue::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
    if (stopped_) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    is_wanted_ = !jobs_.empty();
    lock.unlock();
    job();
    job = nullptr;
    spin_until([this] { return is_wanted_.load(); });
    lock.lock();
  }
}

}  // namespace athanor
