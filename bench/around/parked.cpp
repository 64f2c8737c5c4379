// usage: parked THREADS TRACED: threads that record one span and wait; prints what is resident meanwhile, in KiB.
// Compiled with -finstrument-functions the span is live()'s own, and TRACED is 1.
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <tachy/tachy.hpp>
#include <vector>

static pthread_barrier_t there, leave;
static bool traced;

static void once() {
  if (traced) {
    TACHY_SPAN("once");
  }
}

static void *live(void *) {
  once();
  pthread_barrier_wait(&there);
  pthread_barrier_wait(&leave);
  return nullptr;
}

static double resident_kib() {
  std::FILE *const file = std::fopen("/proc/self/status", "r");
  char line[256];
  double kib = 0.0;
  while (file && std::fgets(line, sizeof line, file)) {
    if (std::strncmp(line, "VmRSS:", 6) == 0) kib = std::atof(line + 6);
  }
  if (file) std::fclose(file);
  return kib;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const unsigned threads = static_cast<unsigned>(std::atoi(argv[1]));
  std::optional<tachy::Session> session;
  traced = std::atoi(argv[2]) != 0;
  if (traced) session.emplace();  // refused where tachy_finstrument has one
  pthread_barrier_init(&there, nullptr, threads + 1);
  pthread_barrier_init(&leave, nullptr, threads + 1);
  std::vector<pthread_t> ids(threads);
  for (pthread_t &id : ids) {
    if (pthread_create(&id, nullptr, live, nullptr) != 0) return 1;
  }
  pthread_barrier_wait(&there);
  if (traced && !tachy_flush(60000)) return 1;
  const double lost = static_cast<double>(tachy::stats().dropped[TACHY_CLASS_SPAN]);
  std::printf("{\"kib\": %.0f, \"lost\": %.0f}\n", resident_kib(), lost);
  pthread_barrier_wait(&leave);
  for (const pthread_t id : ids) pthread_join(id, nullptr);
  return 0;
}
