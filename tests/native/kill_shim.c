/* Preloaded: kills the process at its n-th step in a folder, so that a test can walk over all of them. A step is a call
 * that changes a file there. Environment:
 * SHIM_FOLDER  the folder
 * SHIM_AT      n, from 1
 * SHIM_WHEN    before, after, or half: after the first half of what was to be written */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder;
static size_t folder_size;
static long at;
static const char *when;
static long steps; /* atomic */

__attribute__((constructor)) static void init(void) {
  folder = getenv("SHIM_FOLDER");
  folder_size = folder ? strlen(folder) : 0;
  at = atol(getenv("SHIM_AT"));
  when = getenv("SHIM_WHEN");
}

static int is_inside(const char *path) {
  return folder && strncmp(path, folder, folder_size) == 0 && path[folder_size] == '/';
}

static int is_open_inside(int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  path[size > 0 ? size : 0] = 0;
  return is_inside(path);
}

/* 1: this is the step. */
static int enter(int inside) {
  const int now = inside && __atomic_add_fetch(&steps, 1, __ATOMIC_SEQ_CST) == at;
  if (now && strcmp(when, "before") == 0) raise(SIGKILL);
  return now;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define LEAVE(now)           \
  do {                       \
    if (now) raise(SIGKILL); \
  } while (0)

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  const int now = enter(flags & O_CREAT && is_inside(path));
  const int descriptor = REAL(open)(path, flags, mode);
  LEAVE(now);
  return descriptor;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
  const int now = enter(is_open_inside(descriptor));
  if (now && strcmp(when, "half") == 0) size /= 2;
  const ssize_t put = REAL(pwrite)(descriptor, bytes, size, offset);
  LEAVE(now);
  return put;
}

int ftruncate(int descriptor, off_t size) {
  const int now = enter(is_open_inside(descriptor));
  const int status = REAL(ftruncate)(descriptor, size);
  LEAVE(now);
  return status;
}

int posix_fallocate(int descriptor, off_t offset, off_t size) {
  const int now = enter(is_open_inside(descriptor));
  const int status = REAL(posix_fallocate)(descriptor, offset, size);
  LEAVE(now);
  return status;
}

int rename(const char *from, const char *to) {
  const int now = enter(is_inside(from));
  const int status = REAL(rename)(from, to);
  LEAVE(now);
  return status;
}

int unlink(const char *path) {
  const int now = enter(is_inside(path));
  const int status = REAL(unlink)(path);
  LEAVE(now);
  return status;
}
