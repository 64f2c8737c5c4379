/* Files and mappings on POSIX. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach/vm_inherit.h>
#endif

#include "../os.h"

int tachy_os_folder(const char *path) {
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return 0;
  struct stat about;
  /* not a link, and nobody else's: names in /tmp and /dev/shm can be foreseen */
  return lstat(path, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid() &&
         (about.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int tachy_os_folder_lock(tachy_os_file *lock, const char *path) {
  *lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (*lock >= 0 && flock(*lock, LOCK_EX | LOCK_NB) == 0) return 1;
  tachy_os_file_close(lock);
  return 0;
}

void tachy_os_folder_unlock(tachy_os_file *lock) {
  if (*lock >= 0) flock(*lock, LOCK_UN); /* closing would not do while a forked child has a copy */
  tachy_os_file_close(lock);
}

int tachy_os_folder_list(const char *path, void (*function)(void *, const char *), void *context) {
  DIR *const folder = opendir(path);
  if (!folder) return 0;
  for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
    if (entry->d_name[0] != '.') function(context, entry->d_name);
  }
  closedir(folder);
  return 1;
}

int tachy_os_session_folder(unsigned choice, char *path, size_t size) {
  const char *parent = NULL;
  const char *name = "tachy"; /* in a folder that is the user's own */
  char own[32];
  snprintf(own, sizeof own, "tachy-%lu", (unsigned long)geteuid());
  path[0] = 0;
  if (choice == 0) {
    name = own;
#if defined(__linux__)
    if (access("/dev/shm", W_OK | X_OK) == 0) parent = "/dev/shm";
#endif
  } else if (choice == 1) {
    parent = getenv("XDG_RUNTIME_DIR");
  } else if (choice == 2) {
    name = own;
    parent = getenv("TMPDIR");
    if (!parent || !*parent) parent = "/tmp";
  } else if (choice == 3) {
    parent = getenv("HOME");
    name = ".tachy-sessions";
  } else {
    return 0;
  }
  if (!parent || !*parent) return 1;
  const int length = snprintf(path, size, "%s/%s", parent, name);
  if (length < 0 || (size_t)length >= size) path[0] = 0;
  return 1;
}

uint64_t tachy_os_folder_free(const char *path) {
  struct statvfs about;
  if (statvfs(path, &about) != 0) return UINT64_MAX;
  return (uint64_t)about.f_bavail * about.f_frsize;
}

int tachy_os_file_open(tachy_os_file *file, const char *path, tachy_os_open_mode mode) {
  const int create = mode == TACHY_OS_NEW ? O_CREAT | O_EXCL : 0;
  int descriptor;
  do descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | create, 0600);
  while (descriptor < 0 && errno == EINTR);
  *file = descriptor;
  return descriptor >= 0;
}

void tachy_os_file_close(tachy_os_file *file) {
  if (*file >= 0) close(*file);
  *file = -1;
}

/* The open file's lock where there is one, for the process's own does not keep out a second copy of the library in the
 * process: a plugin's recovery would take what is being recorded. */
int tachy_os_file_lock(tachy_os_file *file) {
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
#if defined(F_OFD_SETLK)
  if (fcntl(*file, F_OFD_SETLK, &lock) == 0) return 1;
  if (errno != EINVAL) return 0; /* the kernel does not know them */
#endif
  return fcntl(*file, F_SETLK, &lock) == 0;
}

int tachy_os_file_is_at(const tachy_os_file *file, const char *path) {
  struct stat here, there;
  return fstat(*file, &here) == 0 && lstat(path, &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

uint64_t tachy_os_file_size(const tachy_os_file *file) {
  struct stat about;
  return fstat(*file, &about) == 0 && about.st_size >= 0 ? (uint64_t)about.st_size : UINT64_MAX;
}

/* Beyond the process's limit the system would send SIGXFSZ, which kills. */
static int allowed(uint64_t size) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= (uint64_t)limit.rlim_cur;
}

int tachy_os_file_resize(tachy_os_file *file, uint64_t size) {
  int status;
  if (!allowed(size)) return 0;
  do status = ftruncate(*file, (off_t)size);
  while (status != 0 && errno == EINTR);
  return status == 0;
}

#if !defined(__APPLE__)
int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size) {
  int error;
  if (!allowed(offset + size)) return 0;
  do error = posix_fallocate(*file, (off_t)offset, (off_t)size);
  while (error == EINTR);
  return error == 0;
}
#else
static int write_zeros(tachy_os_file *file, uint64_t begin, uint64_t end) {
  static const unsigned char zeros[65536] = {0};
  while (begin < end) {
    const size_t size = end - begin < sizeof zeros ? (size_t)(end - begin) : sizeof zeros;
    if (!tachy_os_file_write(file, begin, zeros, size)) return 0;
    begin += size;
  }
  return 1;
}

/* macOS allocates behind a file's end only: zeros written into its holes take storage, too. */
int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size) {
  const uint64_t end = offset + size;
  if (end > tachy_os_file_size(file) && !tachy_os_file_resize(file, end)) return 0;
  while (offset < end) {
    const off_t hole = lseek(*file, (off_t)offset, SEEK_HOLE);                  /* the file's end counts as one */
    if (hole < 0 || (uint64_t)hole >= end) return hole >= 0 || errno == EINVAL; /* EINVAL: no holes here */
    const off_t data = lseek(*file, hole, SEEK_DATA);                           /* ENXIO: none comes any more */
    if (data < 0 && errno != ENXIO) return 0;
    const uint64_t until = data < 0 || (uint64_t)data > end ? end : (uint64_t)data;
    if (!write_zeros(file, (uint64_t)hole, until)) return 0;
    offset = until;
  }
  return 1;
}
#endif

int tachy_os_file_discard(tachy_os_file *file, uint64_t offset, uint64_t size) {
#if defined(FALLOC_FL_PUNCH_HOLE)
  return fallocate(*file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) == 0;
#else
  (void)file;
  (void)offset;
  (void)size;
  return 0;
#endif
}

int tachy_os_file_read(const tachy_os_file *file, uint64_t offset, void *bytes, size_t size) {
  unsigned char *at = bytes;
  while (size > 0) {
    const ssize_t got = pread(*file, at, size, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    at += got;
    offset += (uint64_t)got;
    size -= (size_t)got;
  }
  return 1;
}

int tachy_os_file_write(tachy_os_file *file, uint64_t offset, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  if (!allowed(offset + size)) return 0;
  while (size > 0) {
    const ssize_t put = pwrite(*file, at, size, (off_t)offset);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return 0;
    at += put;
    offset += (uint64_t)put;
    size -= (size_t)put;
  }
  return 1;
}

int tachy_os_file_look(const char *path, uint64_t *storage, int64_t *utc) {
  struct stat about;
  if (lstat(path, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
  *storage = (uint64_t)about.st_blocks * 512u;
#if defined(__APPLE__)
  *utc = (int64_t)about.st_mtimespec.tv_sec * 1000000000 + about.st_mtimespec.tv_nsec;
#else
  *utc = (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec;
#endif
  return 1;
}

void tachy_os_file_copy_time(const char *from, const char *to) {
  struct stat about;
  if (lstat(from, &about) != 0) return;
#if defined(__APPLE__)
  const struct timespec times[2] = {about.st_atimespec, about.st_mtimespec};
#else
  const struct timespec times[2] = {about.st_atim, about.st_mtim};
#endif
  utimensat(AT_FDCWD, to, times, AT_SYMLINK_NOFOLLOW);
}

int tachy_os_file_remove(const char *path) { return unlink(path) == 0; }

int tachy_os_file_rename(const char *from, const char *to) { return rename(from, to) == 0; }

void *tachy_os_map(size_t size) {
  void *const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

size_t tachy_os_page_size(void) {
  const long size = sysconf(_SC_PAGESIZE);
  return size > 0 ? (size_t)size : 4096;
}

void tachy_os_prefer_large_pages(void *memory, size_t size) {
#ifdef MADV_HUGEPAGE
  const uintptr_t page = tachy_os_page_size();
  const uintptr_t begin = ((uintptr_t)memory + page - 1) / page * page;
  const uintptr_t end = ((uintptr_t)memory + size) / page * page;
  if (end > begin) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)size;
#endif
}

void tachy_os_prefault(void *memory, size_t size) {
#ifdef MADV_POPULATE_WRITE
  if (madvise(memory, size, MADV_POPULATE_WRITE) == 0) return;
#endif
  const size_t page = tachy_os_page_size();
  volatile unsigned char *const bytes = memory;
  for (size_t i = 0; i < size; i += page) bytes[i] = bytes[i]; /* a part of a file keeps what it has */
}

void *tachy_os_file_map(tachy_os_file *file, uint64_t offset, size_t size) {
  void *const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *file, (off_t)offset);
  if (memory == MAP_FAILED) return NULL;
#if defined(__APPLE__)
  const int kept = minherit(memory, size, VM_INHERIT_NONE);
#else
  const int kept = madvise(memory, size, MADV_DONTFORK);
#endif
  if (kept != 0) {
    munmap(memory, size);
    return NULL;
  }
  return memory;
}

void tachy_os_unmap(void *memory, size_t size) {
  if (memory) munmap(memory, size);
}

int tachy_os_map_over(void *memory, size_t size) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  return mmap(memory, size, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED;
}

void tachy_os_on_exit(void (*function)(void)) {
  atexit(function);
#if defined(__GLIBC__)
  at_quick_exit(function);
#endif
}
