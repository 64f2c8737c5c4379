/* The Windows types behind os.h, without windows.h: each has the size and the zero of the one it stands for. */
#ifndef TACHY_SRC_OS_WIN32_TYPES_H
#define TACHY_SRC_OS_WIN32_TYPES_H

#include <stdint.h>

typedef struct tachy_os_word {
  void *word;
} tachy_os_word;

typedef tachy_os_word tachy_os_mutex;     /* SRWLOCK */
typedef tachy_os_word tachy_os_condition; /* CONDITION_VARIABLE */
typedef tachy_os_word tachy_os_once_flag; /* INIT_ONCE */
typedef void *tachy_os_bell;              /* an event that resets itself */
typedef void *tachy_os_thread;
typedef void *tachy_os_file;
#define TACHY_OS_NO_FILE ((void *)(intptr_t)-1)

#define TACHY_OS_MUTEX_INIT \
  { 0 }
#define TACHY_OS_ONCE_INIT \
  { 0 }

#define TACHY_OS_LANDMARK_STORAGE
#if defined(_MSC_VER)
#pragma section(".tachy", read)
#pragma comment(linker, "/INCLUDE:tachy_os_landmark_")
#ifdef __cplusplus
#define TACHY_OS_LANDMARK(name) extern "C" __declspec(allocate(".tachy")) void *const tachy_os_landmark_ = &name;
#else
#define TACHY_OS_LANDMARK(name) __declspec(allocate(".tachy")) void *const tachy_os_landmark_ = &name;
#endif
#else
#define TACHY_OS_LANDMARK(name) __attribute__((section(".tachy"), used)) static void *const tachy_os_landmark_ = &name;
#endif

/* What the calling thread armed itself with (tachy_os_arm_thread_exit), or NULL. Keeps GetLastError as it is. */
void *tachy_os_armed(void);
/* Where the same lies from the start of a thread's own block (TEB), for who reads it inline; 0: call tachy_os_armed. */
uint32_t tachy_os_armed_offset(void);

#endif
