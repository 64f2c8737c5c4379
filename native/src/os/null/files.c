/* No files: no session survives its process. */
#include <stdlib.h>

#include "../os.h"

int tachy_os_folder(const char *path) {
  (void)path;
  return 0;
}

int tachy_os_folder_list(const char *path, void (*function)(void *, const char *), void *context) {
  (void)path;
  (void)function;
  (void)context;
  return 0;
}

int tachy_os_session_folder(unsigned choice, char *path, size_t size) {
  (void)choice;
  if (size) path[0] = 0;
  return 0;
}

int tachy_os_folder_lock(tachy_os_file *lock, const char *path) {
  (void)lock;
  (void)path;
  return 0;
}

void tachy_os_folder_unlock(tachy_os_file *lock) { (void)lock; }

int tachy_os_file_look(const char *path, uint64_t *storage, int64_t *utc) {
  (void)path;
  (void)storage;
  (void)utc;
  return 0;
}

void tachy_os_file_copy_time(const char *from, const char *to) {
  (void)from;
  (void)to;
}

void tachy_os_complain(const char *line) { (void)line; }

void tachy_os_fail(const char *line) {
  (void)line;
  abort();
}

uint64_t tachy_os_folder_free(const char *path) {
  (void)path;
  return UINT64_MAX;
}

int tachy_os_file_open(tachy_os_file *file, const char *path, tachy_os_open_mode mode) {
  (void)file;
  (void)path;
  (void)mode;
  return 0;
}

void tachy_os_file_close(tachy_os_file *file) { (void)file; }

int tachy_os_file_lock(tachy_os_file *file) {
  (void)file;
  return 0;
}

int tachy_os_file_is_at(const tachy_os_file *file, const char *path) {
  (void)file;
  (void)path;
  return 0;
}

uint64_t tachy_os_file_size(const tachy_os_file *file) {
  (void)file;
  return UINT64_MAX;
}

int tachy_os_file_resize(tachy_os_file *file, uint64_t size) {
  (void)file;
  (void)size;
  return 0;
}

int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size) {
  (void)file;
  (void)offset;
  (void)size;
  return 0;
}

int tachy_os_file_discard(tachy_os_file *file, uint64_t offset, uint64_t size) {
  (void)file;
  (void)offset;
  (void)size;
  return 0;
}

int tachy_os_file_read(const tachy_os_file *file, uint64_t offset, void *bytes, size_t size) {
  (void)file;
  (void)offset;
  (void)bytes;
  (void)size;
  return 0;
}

int tachy_os_file_write(tachy_os_file *file, uint64_t offset, const void *bytes, size_t size) {
  (void)file;
  (void)offset;
  (void)bytes;
  (void)size;
  return 0;
}

int tachy_os_file_remove(const char *path) {
  (void)path;
  return 0;
}

int tachy_os_file_rename(const char *from, const char *to) {
  (void)from;
  (void)to;
  return 0;
}

void *tachy_os_file_map(tachy_os_file *file, uint64_t offset, size_t size) {
  (void)file;
  (void)offset;
  (void)size;
  return NULL;
}

void tachy_os_unmap(void *memory, size_t size) {
  (void)memory;
  (void)size;
}

int tachy_os_map_over(void *memory, size_t size) {
  (void)memory;
  (void)size;
  return 0;
}

void tachy_os_on_exit(void (*function)(void)) { (void)function; }

void tachy_os_on_termination(void (*function)(void)) { (void)function; }
