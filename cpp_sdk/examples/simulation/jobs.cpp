// The job system of jobs.hpp.
#define TACHY_TARGET "sim.jobs"
#include "jobs.hpp"

#include <algorithm>
#include <string>
#include <tachy/tachy.hpp>
#include <utility>

Jobs::Jobs(unsigned workers) {
  for (unsigned i = 0; i < workers; i++) threads_.emplace_back([this, i] { work(i); });
}

Jobs::~Jobs() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread &thread : threads_) thread.join();
}

std::size_t Jobs::queued() {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

// Under the lock, which is open meanwhile.
void Jobs::run_next(std::unique_lock<std::mutex> &lock) {
  const std::function<void()> job = std::move(queue_.front());
  queue_.pop_front();
  lock.unlock();
  {
    TACHY_SPAN("Job");
    job();
  }
  lock.lock();
}

void Jobs::work(unsigned number) {
  tachy::set_thread_name(("worker " + std::to_string(number)).c_str());
  TACHY_LOG(TACHY_LEVEL_DEBUG, "worker %u is up", number);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    run_next(lock);
  }
}

void Jobs::split(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)> &work) {
  std::unique_lock lock(mutex_);
  std::size_t left = 0;
  for (std::size_t begin = 0; begin < count; begin += grain, left++) {
    queue_.push_back([&, begin] {
      work(begin, std::min(count, begin + grain));
      const std::lock_guard done(mutex_);
      if (--left == 0) changed_.notify_all();
    });
  }
  changed_.notify_all();
  while (left > 0) {
    if (queue_.empty()) {
      changed_.wait(lock);
    } else {
      run_next(lock);
    }
  }
}

void Jobs::submit(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  changed_.notify_one();
}
