// tachy_finstrument's system on Windows.
#include <windows.h>

#include "platform.hpp"

namespace tachy::finstrument {

void *map(std::size_t size) { return VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }

void unmap(void *memory, std::size_t) { VirtualFree(memory, 0, MEM_RELEASE); }

std::uint32_t find_slot() {
  constexpr DWORD kInBlock = 64;
  constexpr std::uint32_t kSlots = 0x1480;  // winternl.h: TlsSlots[64] of a 64-bit TEB
  const DWORD slot = TlsAlloc();
  return slot < kInBlock ? kSlots + 8u * slot : 0;
}

static void (*release)(void *);
static ThreadValue<void *> armed;

bool on_thread_end(void (*function)(void *)) {
  release = function;
  return armed.open();
}

bool arm_thread_end(void *memory) {
  armed = memory;
  return true;
}

// A callback of the loader, as in the recorder's thread_exit.c: fiber-local storage is a fiber's.
static void NTAPI at_thread_event(PVOID, DWORD reason, PVOID) {
  void *const memory = reason == DLL_THREAD_DETACH ? static_cast<void *>(armed) : nullptr;
  if (!memory) return;
  armed = nullptr;
  release(memory);
}

__attribute__((section(".CRT$XLC"), used)) static const PIMAGE_TLS_CALLBACK callback = at_thread_event;

bool on_fork(void (*)()) { return true; }

static_assert(sizeof(SRWLOCK) == sizeof(Lock) && alignof(SRWLOCK) == alignof(Lock), "one stands for the other");

void Lock::lock() { AcquireSRWLockExclusive(reinterpret_cast<SRWLOCK *>(&word)); }
void Lock::unlock() { ReleaseSRWLockExclusive(reinterpret_cast<SRWLOCK *>(&word)); }
void Lock::reset() {}

}  // namespace tachy::finstrument
