/* The types behind os.h where there is one thread and nothing to wait for. */
#ifndef TACHY_SRC_OS_NULL_TYPES_H
#define TACHY_SRC_OS_NULL_TYPES_H

typedef unsigned char tachy_os_mutex;
typedef unsigned char tachy_os_condition;
typedef unsigned char tachy_os_bell;
typedef unsigned char tachy_os_once_flag;
typedef unsigned char tachy_os_thread;
typedef unsigned char tachy_os_file;
#define TACHY_OS_NO_FILE 0

#define TACHY_OS_MUTEX_INIT 0
#define TACHY_OS_ONCE_INIT 0

#define TACHY_OS_LANDMARK_STORAGE
#define TACHY_OS_LANDMARK(name)

#endif
