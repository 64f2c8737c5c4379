/* Clocks on Windows, what the processor says about its own, and randomness. */
#include "../os.h"
#include "system.h"

#if defined(_M_X64) && !defined(__clang__) && !defined(__GNUC__)
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

/* RtlGenRandom, as its documentation says to reach it: it needs no provider, and nothing else to link. */
#ifdef __cplusplus
extern "C"
#endif
    BOOLEAN NTAPI
    SystemFunction036(PVOID bytes, ULONG size);

static uint64_t to_number(FILETIME time) { return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime; }

uint64_t tachy_os_monotonic(void) {
  LARGE_INTEGER count, frequency;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&frequency); /* a load: it is fixed at boot */
  const uint64_t ticks = (uint64_t)count.QuadPart;
  const uint64_t second = (uint64_t)frequency.QuadPart;
  return ticks / second * 1000000000u + ticks % second * 1000000000u / second;
}

/* Windows 8 reads it to 100 ns, its predecessors to the timer's last tick, some 16 ms. */
int64_t tachy_os_utc(void) {
  typedef void(WINAPI * reader)(FILETIME *);
  const reader precise = (reader)tachy_os_find("GetSystemTimePreciseAsFileTime");
  FILETIME time;
  if (precise) {
    precise(&time);
  } else {
    GetSystemTimeAsFileTime(&time);
  }
  return ((int64_t)to_number(time) - INT64_C(116444736000000000)) * 100; /* since 1601 */
}

uint64_t tachy_os_thread_cpu(void) {
  FILETIME created, exited, kernel, user;
  if (!GetThreadTimes(GetCurrentThread(), &created, &exited, &kernel, &user)) return 0;
  return (to_number(kernel) + to_number(user)) * 100;
}

#if !defined(TACHY_CLOCK_OS) && (defined(_M_X64) || defined(__x86_64__))
static void read_cpuid(unsigned leaf, unsigned words[4]) {
#if defined(_M_X64) && !defined(__clang__) && !defined(__GNUC__)
  int signed_words[4];
  __cpuidex(signed_words, (int)leaf, 0);
  for (unsigned i = 0; i < 4; i++) words[i] = (unsigned)signed_words[i];
#else
  __cpuid_count(leaf, 0, words[0], words[1], words[2], words[3]);
#endif
}

uint64_t tachy_os_tick_frequency(void) {
  /* Leaf 15h: TSC = crystal (ecx) * numerator (ebx) / denominator (eax). */
  unsigned words[4] = {0, 0, 0, 0};
  read_cpuid(0, words);
  if (words[0] < 0x15) return 0;
  read_cpuid(0x15, words);
  if (words[0] == 0 || words[1] == 0 || words[2] == 0) return 0;
  const uint64_t frequency = (uint64_t)words[2] * words[1] / words[0];
  return frequency >= 100000000u && frequency <= 10000000000u ? frequency : 0;
}
#else
uint64_t tachy_os_tick_frequency(void) { return 1000000000u; } /* ticks are tachy_os_monotonic */
#endif

DWORD tachy_os_ms_until(uint64_t deadline) {
  const uint64_t now = tachy_os_monotonic();
  if (deadline <= now) return 0;
  const uint64_t ms = (deadline - now) / 1000000u + 1;
  return ms < INFINITE ? (DWORD)ms : INFINITE - 1;
}

void tachy_os_sleep(uint64_t ns) {
  const uint64_t end = tachy_os_monotonic() + ns;
  for (DWORD ms = tachy_os_ms_until(end); ms > 0; ms = tachy_os_ms_until(end)) Sleep(ms);
}

int tachy_os_random(void *bytes, size_t size) { return size <= 65536 && SystemFunction036(bytes, (ULONG)size); }
