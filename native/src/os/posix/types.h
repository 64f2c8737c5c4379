/* The POSIX types behind os.h. */
#ifndef TACHY_SRC_OS_POSIX_TYPES_H
#define TACHY_SRC_OS_POSIX_TYPES_H

#include <pthread.h>
#include <semaphore.h>

typedef pthread_mutex_t tachy_os_mutex;
typedef pthread_cond_t tachy_os_condition;
typedef sem_t tachy_os_bell;
typedef pthread_once_t tachy_os_once_flag;
typedef pthread_t tachy_os_thread;
typedef int tachy_os_file; /* a descriptor */

#define TACHY_OS_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define TACHY_OS_ONCE_INIT PTHREAD_ONCE_INIT

#endif
