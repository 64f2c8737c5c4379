// tachy_finstrument's system on POSIX, and what it takes the place of there.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform.hpp"

namespace tachy::finstrument {

void *map(std::size_t size) {
  void *const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

void unmap(void *memory, std::size_t size) { munmap(memory, size); }

static pthread_key_t key;

bool on_thread_end(void (*function)(void *)) { return pthread_key_create(&key, function) == 0; }
bool arm_thread_end(void *memory) { return pthread_setspecific(key, memory) == 0; }
bool on_fork(void (*child)()) { return pthread_atfork(nullptr, nullptr, child) == 0; }

void Lock::lock() { pthread_mutex_lock(&mutex); }
void Lock::unlock() { pthread_mutex_unlock(&mutex); }
void Lock::reset() { pthread_mutex_init(&mutex, nullptr); }

}  // namespace tachy::finstrument

using namespace tachy::finstrument;

extern "C" __attribute__((visibility("default"), no_instrument_function)) pid_t setsid() noexcept {
  const pid_t leader = static_cast<pid_t>(syscall(SYS_setsid));
  if (leader != -1) record_on();
  return leader;
}

// libc's ends the parent without a word, and the session with it.
extern "C" __attribute__((visibility("default"), no_instrument_function)) int daemon(int nochdir,
                                                                                     int noclose) noexcept {
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child > 0) {
    finish();
    _exit(0);
  }
  if (setsid() == -1) return -1;
  if (!nochdir && chdir("/") != 0) return -1;
  const int null = noclose ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
  if (noclose) return 0;
  if (null < 0) return -1;
  for (int descriptor = 0; descriptor < 3; descriptor++) dup2(null, descriptor);
  if (null > 2) close(null);
  return 0;
}
