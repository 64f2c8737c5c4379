/* The POSIX types behind os.h. */
#ifndef TACHY_SRC_OS_POSIX_TYPES_H
#define TACHY_SRC_OS_POSIX_TYPES_H

#include <pthread.h>
#include <stdint.h>

typedef pthread_mutex_t tachy_os_mutex;
typedef pthread_cond_t tachy_os_condition;
#if defined(__APPLE__)
typedef unsigned tachy_os_bell; /* semaphore_t of Mach */
#else
typedef uint32_t tachy_os_bell;
#endif
typedef pthread_once_t tachy_os_once_flag;
typedef pthread_t tachy_os_thread;
typedef int tachy_os_file; /* a descriptor */
#define TACHY_OS_NO_FILE (-1)

#define TACHY_OS_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define TACHY_OS_ONCE_INIT PTHREAD_ONCE_INIT

#define TACHY_OS_LANDMARK_STORAGE __attribute__((visibility("hidden"), used))
#if defined(__APPLE__)
#define TACHY_OS_LANDMARK(name) \
  __attribute__((used, section("__DATA,__tachy"))) static void *const tachy_os_landmark_ = &name;
#else
/* A note in a part of the module that is loaded, which names the object by its distance: nothing to relocate, to export
 * or to strip, and what a linker collects as garbage are not notes. */
#define TACHY_OS_LANDMARK(name)                                          \
  __asm__(                                                               \
      ".pushsection .note.tachy,\"a\",%note\n.balign 4\n.long 6, 4, 1\n" \
      ".asciz \"tachy\"\n.balign 4\n.long " #name " - .\n.popsection\n");
#endif

/* Names the calling thread; the system cuts what is too long. */
void tachy_os_name_thread(const char *name);

#endif
