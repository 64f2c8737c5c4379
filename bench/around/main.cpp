// usage: around MODE [NUMBER …]. Prints one JSON object; "sink" serves until it is killed.
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "around.hpp"

namespace around {

void fail(const char *why) {
  std::fprintf(stderr, "%s\n", why);
  std::exit(1);
}

std::uint64_t clock_ns(int clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000u + static_cast<std::uint64_t>(now.tv_nsec);
}

void sleep_ms(std::uint32_t ms) { usleep(ms * 1000); }

double status_mb(const char *key) {
  std::FILE *const file = std::fopen("/proc/self/status", "r");
  char line[256];
  double kib = -1.0;
  while (file && std::fgets(line, sizeof line, file)) {
    if (std::strncmp(line, key, std::strlen(key)) == 0) kib = std::atof(line + std::strlen(key));
  }
  if (kib < 0.0) fail("no such line in /proc/self/status");
  std::fclose(file);
  return kib / 1024.0;
}

std::uint64_t dropped(const tachy_stats &stats) {
  return stats.dropped[TACHY_CLASS_LOG] + stats.dropped[TACHY_CLASS_METRIC] + stats.dropped[TACHY_CLASS_SPAN];
}

}  // namespace around

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    std::size_t numbers;
    void (*run)(const around::Arguments &);
  } modes[] = {
      {"first_event", 1, around::first_event},
      {"thread_lives", 3, around::thread_lives},
      {"burst", 1, around::burst},
      {"tight_loop", 1, around::tight_loop},
      {"collector", 1, around::collector},
      {"idle", 2, around::idle},
      {"flight", 1, around::flight},
      {"tail", 1, around::tail},
  };
  if (argc == 2 && std::strcmp(argv[1], "sink") == 0) return around::sink();
  around::Arguments numbers;
  for (int i = 2; i < argc; i++) numbers.push_back(static_cast<unsigned>(std::strtoul(argv[i], nullptr, 10)));
  for (const auto &mode : modes) {
    if (argc < 2 || std::strcmp(argv[1], mode.name) != 0 || numbers.size() != mode.numbers) continue;
    mode.run(numbers);
    return 0;
  }
  std::fprintf(stderr, "usage: around MODE [NUMBER …]\n");
  return 2;
}
