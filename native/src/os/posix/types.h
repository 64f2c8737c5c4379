/* The POSIX types behind os.h. */
#ifndef TACHY_SRC_OS_POSIX_TYPES_H
#define TACHY_SRC_OS_POSIX_TYPES_H

#include <pthread.h>
#if !defined(__APPLE__)
#include <semaphore.h>
#endif

typedef pthread_mutex_t tachy_os_mutex;
typedef pthread_cond_t tachy_os_condition;
#if defined(__APPLE__)
typedef unsigned tachy_os_bell; /* semaphore_t of Mach */
#else
typedef sem_t tachy_os_bell;
#endif
typedef pthread_once_t tachy_os_once_flag;
typedef pthread_t tachy_os_thread;
typedef int tachy_os_file; /* a descriptor */
#define TACHY_OS_NO_FILE (-1)

#define TACHY_OS_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define TACHY_OS_ONCE_INIT PTHREAD_ONCE_INIT

/* Names the calling thread; the system cuts what is too long. */
void tachy_os_name_thread(const char *name);

#endif
