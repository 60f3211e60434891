// Work that runs off the event loop: a line of jobs and the one thread that takes them in turn. Programs own no thread; an
// environment has a queue for training and one for the rest, so that a prediction does not wait behind an epoch.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace athanor {

class RunQueue {
 public:
  RunQueue() = default;
  ~RunQueue() { stop(); }
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;

  // Jobs must not throw. After stop() a job is dropped.
  void submit(std::function<void()> job);

  // Drops the jobs that wait and joins the thread; the running one ends first.
  void stop();

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::thread thread_;
  bool stopped_ = false;
  std::atomic<bool> is_wanted_{false};  // a job waits, or the end: what the thread looks at before it sleeps
};

}  // namespace athanor
