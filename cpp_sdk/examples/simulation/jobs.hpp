// The job system: worker threads, one queue, tasks that wait for other tasks. The thread that runs a graph works too.
#ifndef SIMULATION_JOBS_HPP
#define SIMULATION_JOBS_HPP

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <thread>
#include <vector>

struct Task {
  std::function<void()> work;
  std::vector<Task *> next;
  std::atomic<int> waiting{0};       // tasks that must end before this one
  std::atomic<int> *left = nullptr;  // of its graph; nullptr: nobody waits for it
};

// The tasks of one frame, or of a part of it. Built by one thread, then run once.
class Graph {
 public:
  Task *add(std::function<void()> work, std::initializer_list<Task *> after = {});
  // work(begin, end) over 0 … count in tasks of at most `grain`; returns a task that ends after all of them.
  Task *split(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)> &work,
              std::initializer_list<Task *> after = {});

 private:
  friend class Jobs;
  std::deque<Task> tasks_;
  std::atomic<int> left_{0};
};

class Jobs {
 public:
  explicit Jobs(unsigned workers);
  ~Jobs();
  Jobs(const Jobs &) = delete;
  Jobs &operator=(const Jobs &) = delete;

  void run(Graph &graph);                   // returns when all of its tasks have ended
  void submit(std::function<void()> work);  // some time, on some thread; before the destructor returns
  std::size_t queued();

 private:
  void push(Task *task);
  Task *take(bool wait, const std::atomic<int> *until);
  void execute(Task *task);
  void work(unsigned number);

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Task *> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

#endif
