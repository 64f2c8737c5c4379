// The job system: worker threads and one queue. The thread that waits for its jobs works too.
#ifndef SIMULATION_JOBS_HPP
#define SIMULATION_JOBS_HPP

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

class Jobs {
 public:
  explicit Jobs(unsigned workers);
  ~Jobs();
  Jobs(const Jobs &) = delete;
  Jobs &operator=(const Jobs &) = delete;

  // work(begin, end) over 0 … count, in jobs of at most `grain`; returns when all of them have ended.
  void split(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)> &work);
  void submit(std::function<void()> work);  // some time, on some thread; before the destructor returns
  std::size_t queued();

 private:
  void run_next(std::unique_lock<std::mutex> &lock);
  void work(unsigned number);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

#endif
