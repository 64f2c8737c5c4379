// Asset streaming: asked for on the main thread, read on an own thread, unpacked by the job system, finished on the
// main thread. Each asset is one async span with three children, on three threads.
#ifndef SIMULATION_STREAMING_HPP
#define SIMULATION_STREAMING_HPP

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <tachy/tachy.hpp>
#include <thread>
#include <vector>

#include "jobs.hpp"
#include "world.hpp"

struct Asset {
  std::string name;
  std::uint64_t seed = 0;
  std::uint32_t expected = 0;  // checksum of what is unpacked
  std::vector<std::uint8_t> packed, unpacked;
  std::chrono::steady_clock::time_point asked;
  tachy::AsyncSpan load, stage;  // the whole, and the part that is under way
};

class Streaming {
 public:
  Streaming(Jobs &jobs, std::uint64_t seed);
  ~Streaming();  // waits for what was asked
  Streaming(const Streaming &) = delete;
  Streaming &operator=(const Streaming &) = delete;

  void request();  // another asset
  void finish();   // those that are ready
  std::size_t bytes() const { return bytes_; }
  std::size_t waiting() const { return asked_ - finished_; }

 private:
  using Owner = std::shared_ptr<Asset>;
  void read_thread();
  void read(Asset &asset);
  void unpack(Asset &asset);

  Jobs &jobs_;
  Random random_;
  std::size_t asked_ = 0, finished_ = 0, bytes_ = 0;  // the main thread's
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Owner> to_read_, ready_;
  bool stopping_ = false;
  std::thread thread_;
};

#endif
