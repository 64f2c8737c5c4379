// What tachy_finstrument needs of the system: posix.cpp, windows.cpp.
#ifndef TACHY_FINSTRUMENT_PLATFORM_HPP
#define TACHY_FINSTRUMENT_PLATFORM_HPP

#include <cstddef>
#include <cstdint>

#include "../sender/system.hpp"
#include "tachy/tachy.h"

#if defined(_WIN32)
#define TACHY_OF_THREAD(type) tachy::finstrument::ThreadValue<type>
#else
#include <pthread.h>
#define TACHY_OF_THREAD(type) TACHY_THREAD_LOCAL type
#endif

namespace tachy::finstrument {

void *map(std::size_t size);  // zeros, or nullptr
void unmap(void *memory, std::size_t size);

// What runs at the end of a thread that has armed itself. false: the system refused.
bool on_thread_end(void (*function)(void *));
bool arm_thread_end(void *memory);
// What runs in a child of fork().
bool on_fork(void (*child)());

// finstrument.cpp's: the end of the session; and for a forked child that has become the leader of a session of its own,
// which is what is left of the program: it goes on as a process of its own.
void finish();
void record_on();

// Of static storage: it needs no constructor, which would come too late.
struct Lock {
  void lock();
  void unlock();
  void reset();  // in a child of fork()
#if defined(_WIN32)
  void *word = nullptr;  // an SRWLOCK
#else
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
#endif
};

#if defined(_WIN32)
// A value of each thread's, zero at first, in a slot of TlsAlloc that is read from the thread's own block (TEB), as
// tachy_here_ reads its: mingw emulates thread-local variables by a call, TlsGetValue clears GetLastError, and a hook
// must leave that as it is. open: before the first use; false: there is no such slot.
std::uint32_t find_slot();  // where it lies in the block; 0: there is none

template <class T>
class ThreadValue {
 public:
  bool open() {
    at_ = find_slot();
    return at_ != 0;
  }
  __attribute__((always_inline, no_instrument_function)) inline operator T() const {
    std::uint64_t word = 0;
    if (at_) __asm__ volatile("movq %%gs:(%1), %0" : "=r"(word) : "r"(std::uint64_t{at_}));
    return (T)word;
  }
  __attribute__((always_inline, no_instrument_function)) inline void operator=(T value) {
    const std::uint64_t word = (std::uint64_t)value;
    if (at_) __asm__ volatile("movq %0, %%gs:(%1)" : : "r"(word), "r"(std::uint64_t{at_}) : "memory");
  }

 private:
  std::uint32_t at_ = 0;
};
#endif

}  // namespace tachy::finstrument

#endif
