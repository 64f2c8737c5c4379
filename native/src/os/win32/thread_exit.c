/* The end of threads on Windows, and the value that each armed itself with.
 *
 * A callback of the loader (PE's TLS directory), not FlsAlloc's: those belong to fibers, and a job system ends fibers
 * on other threads than they began on. It runs under the loader's lock: what it calls must not wait for a thread that
 * wants that. */
#include "../os.h"
#include "system.h"

enum { INLINE_SLOTS = 64, SLOTS_IN_TEB = 0x1480 }; /* winternl.h: TlsSlots[64] of a 64-bit TEB */

static void (*exit_function)(void *);
static volatile DWORD exit_slot = TLS_OUT_OF_INDEXES; /* set after exit_function */

static void NTAPI at_thread_event(PVOID module, DWORD reason, PVOID reserved) {
  (void)module;
  (void)reserved;
  void *const value = reason == DLL_THREAD_DETACH ? tachy_os_armed() : NULL;
  if (value) exit_function(value);
}

/* The linker makes a list of what lies in the sections .CRT$XLA to .CRT$XLZ. */
#if defined(_MSC_VER)
#pragma comment(linker, "/INCLUDE:_tls_used")
#pragma comment(linker, "/INCLUDE:tachy_os_thread_callback")
#pragma section(".CRT$XLC", long, read)
#ifdef __cplusplus
extern "C"
#endif
    __declspec(allocate(".CRT$XLC")) const PIMAGE_TLS_CALLBACK tachy_os_thread_callback = at_thread_event;
#else
__attribute__((section(".CRT$XLC"), used)) static const PIMAGE_TLS_CALLBACK thread_callback = at_thread_event;
#endif

int tachy_os_on_thread_exit(void (*function)(void *)) {
  tachy_os_find_names();
  exit_function = function;
  MemoryBarrier();
  exit_slot = TlsAlloc();
  return exit_slot != TLS_OUT_OF_INDEXES;
}

int tachy_os_arm_thread_exit(void *value) { return TlsSetValue(exit_slot, value) != 0; }

void *tachy_os_armed(void) {
  const DWORD slot = exit_slot;
  if (slot == TLS_OUT_OF_INDEXES) return NULL;
  const DWORD error = GetLastError(); /* TlsGetValue clears it, and whoever records may be about to read it */
  void *const value = TlsGetValue(slot);
  SetLastError(error);
  return value;
}

uint32_t tachy_os_armed_offset(void) {
#if defined(_WIN64)
  if (exit_slot < INLINE_SLOTS) return SLOTS_IN_TEB + (uint32_t)sizeof(void *) * exit_slot;
#endif
  return 0;
}
