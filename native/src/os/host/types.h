/* The types behind os.h where a host brings the system (tachy/host.h). What it makes is made at the first use. */
#ifndef TACHY_SRC_OS_HOST_TYPES_H
#define TACHY_SRC_OS_HOST_TYPES_H

typedef struct tachy_os_mutex {
  void *lock;
} tachy_os_mutex;
typedef struct tachy_os_condition {
  struct tachy_os_waiter *first;
} tachy_os_condition;
typedef struct tachy_os_bell {
  void *event;
} tachy_os_bell;
typedef unsigned char tachy_os_once_flag;
typedef void *tachy_os_thread;
typedef unsigned char tachy_os_file; /* there are none */
#define TACHY_OS_NO_FILE 0

#define TACHY_OS_MUTEX_INIT \
  { NULL }
#define TACHY_OS_ONCE_INIT 0

#define TACHY_OS_LANDMARK_STORAGE
#define TACHY_OS_LANDMARK(name)

#endif
