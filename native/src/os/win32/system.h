/* windows.h as of Vista, and its text, which is UTF-16. Included by this folder's sources only. */
#ifndef TACHY_SRC_OS_WIN32_SYSTEM_H
#define TACHY_SRC_OS_WIN32_SYSTEM_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
/* clang-format off: the first brings the types of the others */
#include <aclapi.h>
#include <sddl.h>
#include <tlhelp32.h>
#include <windows.h>
#include <winioctl.h>
/* clang-format on */

#if defined(_MSC_VER)
#pragma comment(lib, "advapi32.lib") /* users, the registry, randomness */
#endif

#define TACHY_OS_PATH_MAX 1024

/* 0: not UTF-8, or more than fits. */
int tachy_os_to_wide(const char *text, wchar_t *wide, int size);
/* Cut at the end of a character; "" when there is none. */
void tachy_os_to_utf8(const wchar_t *wide, char *text, size_t size);

/* A function that not every Windows has, or NULL. No lock of ours is held around it: it takes the loader's. */
typedef void (*tachy_os_function)(void);
tachy_os_function tachy_os_find(const char *name);
/* Finds what reads the names of threads, before a thread is known whose end may wait for them. */
void tachy_os_find_names(void);

/* How long until the deadline, in ms for the system's waits, rounded up; never INFINITE. */
DWORD tachy_os_ms_until(uint64_t deadline);

#endif
