// The sender's system on POSIX.
#include "../system.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

namespace tachy::sender {

std::uint64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000u + static_cast<std::uint64_t>(now.tv_nsec) / 1000000u;
}

std::uint64_t process() { return static_cast<std::uint64_t>(getpid()); }

bool is_alone() { return false; }

void complain(const char *line) {
  if (write(STDERR_FILENO, line, strlen(line)) < 0) return;
}

bool get_environment(const char *name, std::string *value) {
  const char *const text = getenv(name);
  if (text) *value = text;
  return text != nullptr;
}

void set_environment(const char *name, const char *value) {
  if (value) {
    setenv(name, value, 1);
  } else {
    unsetenv(name);
  }
}

bool read_ipv6(const char *text, unsigned char *bytes) { return inet_pton(AF_INET6, text, bytes) == 1; }

// A pipe: libcurl waits for it as for its sockets.
bool Bell::open() {
  int ends[2];
#if defined(__linux__)
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
#else
  if (pipe(ends) != 0) return false;
  for (const int end : ends) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
    fcntl(end, F_SETFL, O_NONBLOCK);
  }
#endif
  handle_ = ends[0];
  ringer_ = ends[1];
  return true;
}

Bell::~Bell() {
  if (handle_ < 0) return;
  close(static_cast<int>(handle_));
  close(static_cast<int>(ringer_));
}

void Bell::ring() {
  if (write(static_cast<int>(ringer_), "", 1) < 0) return;  // full: it is ringing
}

void Bell::wait(std::uint64_t ms) {
  pollfd what = {static_cast<int>(handle_), POLLIN, 0};
  poll(&what, 1, static_cast<int>(ms));
  heard();
}

void Bell::heard() {
  char bytes[64];
  while (read(static_cast<int>(handle_), bytes, sizeof bytes) > 0) {
  }
}

static void *run_thread(void *thread) {
  static_cast<const Thread *>(thread)->run();
  return nullptr;
}

// The program's signals are the program's.
bool Thread::start(void (*function)(void *), void *argument) {
  function_ = function;
  argument_ = argument;
  pthread_t thread{};
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int refused = pthread_create(&thread, nullptr, run_thread, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  memcpy(&handle_, &thread, sizeof thread);
  static_assert(sizeof thread <= sizeof handle_, "a thread's name fits");
  return !refused;
}

void Thread::join() {
  pthread_t thread{};
  memcpy(&thread, &handle_, sizeof thread);
  pthread_join(thread, nullptr);
}

}  // namespace tachy::sender
