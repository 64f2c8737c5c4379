// The job system of jobs.hpp.
#define TACHY_TARGET "sim.jobs"
#include "jobs.hpp"

#include <algorithm>
#include <string>
#include <tachy/tachy.hpp>
#include <utility>

Task *Graph::add(std::function<void()> work, std::initializer_list<Task *> after) {
  Task &task = tasks_.emplace_back();
  task.work = std::move(work);
  task.left = &left_;
  left_.fetch_add(1, std::memory_order_relaxed);
  for (Task *const before : after) {
    before->next.push_back(&task);
    task.waiting.fetch_add(1, std::memory_order_relaxed);
  }
  return &task;
}

Task *Graph::split(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)> &work,
                   std::initializer_list<Task *> after) {
  Task *const join = add([] {}, after);
  for (std::size_t begin = 0; begin < count; begin += grain) {
    const std::size_t end = std::min(count, begin + grain);
    Task *const part = add([work, begin, end] { work(begin, end); }, after);
    part->next.push_back(join);
    join->waiting.fetch_add(1, std::memory_order_relaxed);
  }
  return join;
}

Jobs::Jobs(unsigned workers) {
  for (unsigned i = 0; i < workers; i++) threads_.emplace_back([this, i] { work(i); });
}

Jobs::~Jobs() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread &thread : threads_) thread.join();
}

std::size_t Jobs::queued() {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void Jobs::push(Task *task) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(task);
  }
  ready_.notify_one();
}

// nullptr: stopping and nothing left to do, or `until` has reached 0.
Task *Jobs::take(bool wait, const std::atomic<int> *until) {
  std::unique_lock lock(mutex_);
  const auto done = [&] { return until ? until->load() == 0 : stopping_; };
  if (wait) ready_.wait(lock, [&] { return !queue_.empty() || done(); });
  if (queue_.empty() || (until && done())) return nullptr;
  Task *const task = queue_.front();
  queue_.pop_front();
  return task;
}

void Jobs::execute(Task *task) {
  {
    TACHY_SPAN("Job");
    task->work();
  }
  for (Task *const next : task->next) {
    if (next->waiting.fetch_sub(1) == 1) push(next);
  }
  if (!task->left) {
    delete task;
  } else if (task->left->fetch_sub(1) == 1) {
    const std::lock_guard lock(mutex_);  // or whoever waits for the graph could miss it
    ready_.notify_all();
  }
}

void Jobs::work(unsigned number) {
  tachy::set_thread_name(("worker " + std::to_string(number)).c_str());
  TACHY_LOG(TACHY_LEVEL_DEBUG, "worker %u is up", number);
  while (Task *const task = take(true, nullptr)) execute(task);
}

void Jobs::run(Graph &graph) {
  TACHY_SPAN("RunGraph");
  std::vector<Task *> roots;
  for (Task &task : graph.tasks_) {
    if (task.waiting.load(std::memory_order_relaxed) == 0) roots.push_back(&task);
  }
  for (Task *const task : roots) push(task);
  while (Task *const task = take(true, &graph.left_)) execute(task);
}

void Jobs::submit(std::function<void()> work) {
  Task *const task = new Task;
  task->work = std::move(work);
  push(task);
}
