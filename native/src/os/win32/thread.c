/* Threads and locks on Windows. There is no fork() to hook into. */
#include <process.h>
#include <string.h>

#include "../os.h"
#include "system.h"

_Static_assert(sizeof(tachy_os_mutex) == sizeof(SRWLOCK) && sizeof(tachy_os_condition) == sizeof(CONDITION_VARIABLE) &&
                   sizeof(tachy_os_once_flag) == sizeof(INIT_ONCE),
               "types.h stands for these");

void tachy_os_mutex_init(tachy_os_mutex *mutex) { InitializeSRWLock((SRWLOCK *)mutex); }
void tachy_os_lock(tachy_os_mutex *mutex) { AcquireSRWLockExclusive((SRWLOCK *)mutex); }
void tachy_os_unlock(tachy_os_mutex *mutex) { ReleaseSRWLockExclusive((SRWLOCK *)mutex); }

void tachy_os_condition_init(tachy_os_condition *condition) {
  InitializeConditionVariable((CONDITION_VARIABLE *)condition);
}

void tachy_os_wake_all(tachy_os_condition *condition) { WakeAllConditionVariable((CONDITION_VARIABLE *)condition); }

int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) {
  const DWORD ms = tachy_os_ms_until(deadline);
  if (SleepConditionVariableSRW((CONDITION_VARIABLE *)condition, (SRWLOCK *)mutex, ms, 0)) return 1;
  return tachy_os_monotonic() < deadline;
}

void tachy_os_bell_init(tachy_os_bell *bell) { *bell = CreateEventW(NULL, FALSE, FALSE, NULL); }

void tachy_os_ring(tachy_os_bell *bell) { SetEvent(*bell); }

/* Without a bell, because the system had none left, everybody comes at his deadline. */
void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  const DWORD ms = tachy_os_ms_until(deadline);
  if (WaitForSingleObject(*bell, ms) == WAIT_FAILED) Sleep(ms);
}

void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void)) {
  BOOL first = FALSE;
  if (!InitOnceBeginInitialize((INIT_ONCE *)flag, 0, &first, NULL) || !first) return;
  function();
  InitOnceComplete((INIT_ONCE *)flag, 0, NULL);
}

static void (*thread_function)(void *);
static const char *thread_name;

/* Windows 10 and later. */
static void name_this_thread(const char *name) {
  typedef HRESULT(WINAPI * setter)(HANDLE, PCWSTR);
  const setter set = (setter)tachy_os_find("SetThreadDescription");
  wchar_t wide[16];
  if (set && tachy_os_to_wide(name, wide, 16)) set(GetCurrentThread(), wide);
}

static unsigned __stdcall run(void *argument) {
  name_this_thread(thread_name);
  thread_function(argument);
  return 0;
}

int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name) {
  thread_function = function;
  thread_name = name;
  const uintptr_t handle = _beginthreadex(NULL, 0, run, argument, 0, NULL);
  *thread = (tachy_os_thread)handle;
  return handle != 0;
}

void tachy_os_thread_join(tachy_os_thread thread) {
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
  (void)before;
  (void)parent;
  (void)child;
}

uint64_t tachy_os_thread_id(void) { return GetCurrentThreadId(); }

typedef HRESULT(WINAPI *name_getter)(HANDLE, PWSTR *);
static name_getter get_name; /* Windows 10 and later */

void tachy_os_find_names(void) { get_name = (name_getter)tachy_os_find("GetThreadDescription"); }

/* Also at a thread's end, under the loader's lock, and by whoever holds a lock that this end waits for: so nothing here
 * waits for the loader's, nor for another thread. */
static int read_name(HANDLE thread, char *text, size_t size) {
  PWSTR name = NULL;
  if (!get_name || get_name(thread, &name) < 0 || !name) return 0;
  const int given = name[0] != 0;
  if (given) tachy_os_to_utf8(name, text, size);
  LocalFree(name);
  return given;
}

void tachy_os_thread_name(char *text, size_t size) {
  if (size) text[0] = 0;
  read_name(GetCurrentThread(), text, size);
}

int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) {
  const HANDLE thread = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)id);
  if (!thread) return 0;
  const int known = read_name(thread, text, size);
  CloseHandle(thread);
  return known;
}
