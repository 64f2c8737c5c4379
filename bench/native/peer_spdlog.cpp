// spdlog's asynchronous logger: one worker, a queue that holds many windows, a sink that throws away.
#include <spdlog/async.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <thread>

#include "peer.h"

namespace {

std::shared_ptr<spdlog::async_logger> logger;
volatile int integer = 42;

void loop_two_ints(std::uint32_t n) {
  for (; n; n--) {
    logger->info("{} of {}", integer, 7);
    __asm__ volatile("" ::: "memory");
  }
}

void drain() {
  while (spdlog::thread_pool()->queue_size() > 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
}

}  // namespace

int main(int argc, char **argv) {
  static const bench_case cases[] = {{"spdlog_async_two_ints", loop_two_ints, nullptr, 1, 2, nullptr},
                                     {nullptr, nullptr, nullptr, 0, 0, nullptr}};
  spdlog::init_thread_pool(1u << 16, 1);
  logger = std::make_shared<spdlog::async_logger>("bench", std::make_shared<spdlog::sinks::null_sink_mt>(),
                                                  spdlog::thread_pool());
  const int status = peer_run(argc, argv, cases, drain, nullptr);
  logger.reset();
  spdlog::shutdown();
  return status;
}
