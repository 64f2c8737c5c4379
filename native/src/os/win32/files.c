/* Files and mappings on Windows. */
#include <stdlib.h>
#include <string.h>

#include "../os.h"
#include "system.h"

enum { SHARED = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

/* The file itself and not what a link leads to; INVALID_HANDLE_VALUE: none. */
static HANDLE open_file(const char *path, DWORD access, DWORD disposition) {
  wchar_t wide[TACHY_OS_PATH_MAX];
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return INVALID_HANDLE_VALUE;
  /* temporary: kept in memory as long as there is enough, for what is written all the time */
  const DWORD how = FILE_FLAG_OPEN_REPARSE_POINT | FILE_ATTRIBUTE_TEMPORARY;
  return CreateFileW(wide, access, SHARED, NULL, disposition, how, NULL);
}

int tachy_os_file_open(tachy_os_file *file, const char *path, tachy_os_open_mode mode) {
  const int made = mode == TACHY_OS_NEW;
  *file = open_file(path, GENERIC_READ | GENERIC_WRITE, made ? CREATE_NEW : OPEN_EXISTING);
  if (*file == INVALID_HANDLE_VALUE) return 0;
  BY_HANDLE_FILE_INFORMATION about;
  if (!GetFileInformationByHandle(*file, &about) || about.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) {
    tachy_os_file_close(file);
    return 0;
  }
  DWORD size;
  /* where there are no sparse files, a longer file takes its storage at once */
  if (made) DeviceIoControl(*file, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &size, NULL);
  return 1;
}

void tachy_os_file_close(tachy_os_file *file) {
  if (*file != INVALID_HANDLE_VALUE) CloseHandle(*file);
  *file = INVALID_HANDLE_VALUE;
}

static OVERLAPPED at_offset(uint64_t offset) {
  OVERLAPPED at;
  memset(&at, 0, sizeof at);
  at.Offset = (DWORD)offset;
  at.OffsetHigh = (DWORD)(offset >> 32);
  return at;
}

/* Far behind the end: Windows keeps others from reading what is locked. */
int tachy_os_file_lock(tachy_os_file *file) {
  OVERLAPPED at = at_offset(UINT64_C(1) << 62);
  return LockFileEx(*file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at) != 0;
}

int tachy_os_file_is_at(const tachy_os_file *file, const char *path) {
  BY_HANDLE_FILE_INFORMATION here, there;
  HANDLE other = open_file(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING);
  const int same = other != INVALID_HANDLE_VALUE && GetFileInformationByHandle(*file, &here) &&
                   GetFileInformationByHandle(other, &there) &&
                   here.dwVolumeSerialNumber == there.dwVolumeSerialNumber &&
                   here.nFileIndexHigh == there.nFileIndexHigh && here.nFileIndexLow == there.nFileIndexLow;
  tachy_os_file_close(&other);
  return same;
}

uint64_t tachy_os_file_size(const tachy_os_file *file) {
  LARGE_INTEGER size;
  return GetFileSizeEx(*file, &size) ? (uint64_t)size.QuadPart : UINT64_MAX;
}

int tachy_os_file_resize(tachy_os_file *file, uint64_t size) {
  FILE_END_OF_FILE_INFO end;
  end.EndOfFile.QuadPart = (LONGLONG)size;
  return SetFileInformationByHandle(*file, FileEndOfFileInfo, &end, sizeof end) != 0;
}

int tachy_os_file_discard(tachy_os_file *file, uint64_t offset, uint64_t size) {
  FILE_ZERO_DATA_INFORMATION part;
  DWORD bytes = 0;
  part.FileOffset.QuadPart = (LONGLONG)offset;
  part.BeyondFinalZero.QuadPart = (LONGLONG)(offset + size);
  return DeviceIoControl(*file, FSCTL_SET_ZERO_DATA, &part, sizeof part, NULL, 0, &bytes, NULL) != 0;
}

int tachy_os_file_read(const tachy_os_file *file, uint64_t offset, void *bytes, size_t size) {
  unsigned char *at = (unsigned char *)bytes;
  while (size > 0) {
    OVERLAPPED where = at_offset(offset);
    DWORD got = 0;
    if (!ReadFile(*file, at, size < 1 << 30 ? (DWORD)size : 1 << 30, &got, &where) || got == 0) return 0;
    at += got;
    offset += got;
    size -= got;
  }
  return 1;
}

int tachy_os_file_write(tachy_os_file *file, uint64_t offset, const void *bytes, size_t size) {
  const unsigned char *at = (const unsigned char *)bytes;
  while (size > 0) {
    OVERLAPPED where = at_offset(offset);
    DWORD put = 0;
    if (!WriteFile(*file, at, size < 1 << 30 ? (DWORD)size : 1 << 30, &put, &where) || put == 0) return 0;
    at += put;
    offset += put;
    size -= put;
  }
  return 1;
}

static int write_zeros(tachy_os_file *file, uint64_t begin, uint64_t end) {
  static const unsigned char zeros[65536] = {0};
  while (begin < end) {
    const size_t size = end - begin < sizeof zeros ? (size_t)(end - begin) : sizeof zeros;
    if (!tachy_os_file_write(file, begin, zeros, size)) return 0;
    begin += size;
  }
  return 1;
}

/* Zeros written into the holes of a sparse file take storage. Where the question for them is not known, files have no
 * holes. */
int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size) {
  const uint64_t end = offset + size;
  if (end > tachy_os_file_size(file) && !tachy_os_file_resize(file, end)) return 0;
  while (offset < end) {
    FILE_ALLOCATED_RANGE_BUFFER asked, found;
    DWORD bytes = 0;
    asked.FileOffset.QuadPart = (LONGLONG)offset;
    asked.Length.QuadPart = (LONGLONG)(end - offset);
    const BOOL ok =
        DeviceIoControl(*file, FSCTL_QUERY_ALLOCATED_RANGES, &asked, sizeof asked, &found, sizeof found, &bytes, NULL);
    if (!ok && GetLastError() != ERROR_MORE_DATA) return 1;
    if (bytes < sizeof found) return write_zeros(file, offset, end);
    if (!write_zeros(file, offset, (uint64_t)found.FileOffset.QuadPart)) return 0;
    offset = (uint64_t)(found.FileOffset.QuadPart + found.Length.QuadPart);
  }
  return 1;
}

/* A file that somebody maps cannot go yet: then this process keeps it open, for the system to remove when it closes the
 * files of the process, which is after it has ended the mappings. */
int tachy_os_file_remove(const char *path) {
  wchar_t wide[TACHY_OS_PATH_MAX];
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return 0;
  if (DeleteFileW(wide)) return 1;
  const DWORD error = GetLastError();
  if (error != ERROR_ACCESS_DENIED && error != ERROR_USER_MAPPED_FILE) return 0;
  const DWORD how = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_DELETE_ON_CLOSE;
  return CreateFileW(wide, DELETE, SHARED, NULL, OPEN_EXISTING, how, NULL) != INVALID_HANDLE_VALUE;
}

int tachy_os_file_rename(const char *from, const char *to) {
  wchar_t wide_from[TACHY_OS_PATH_MAX];
  wchar_t wide_to[TACHY_OS_PATH_MAX];
  return tachy_os_to_wide(from, wide_from, TACHY_OS_PATH_MAX) && tachy_os_to_wide(to, wide_to, TACHY_OS_PATH_MAX) &&
         MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING);
}

int tachy_os_file_look(const char *path, uint64_t *storage, int64_t *utc) {
  BY_HANDLE_FILE_INFORMATION about;
  FILE_STANDARD_INFO size;
  HANDLE file = open_file(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING);
  const int ok = file != INVALID_HANDLE_VALUE && GetFileInformationByHandle(file, &about) &&
                 GetFileInformationByHandleEx(file, FileStandardInfo, &size, sizeof size);
  if (ok) {
    const uint64_t time = (uint64_t)about.ftLastWriteTime.dwHighDateTime << 32 | about.ftLastWriteTime.dwLowDateTime;
    *storage = (uint64_t)size.AllocationSize.QuadPart;
    *utc = ((int64_t)time - INT64_C(116444736000000000)) * 100; /* from 1601 to 1970 */
  }
  tachy_os_file_close(&file);
  return ok;
}

void tachy_os_file_copy_time(const char *from, const char *to) {
  BY_HANDLE_FILE_INFORMATION about;
  HANDLE old = open_file(from, FILE_READ_ATTRIBUTES, OPEN_EXISTING);
  HANDLE file = open_file(to, FILE_WRITE_ATTRIBUTES, OPEN_EXISTING);
  if (old != INVALID_HANDLE_VALUE && file != INVALID_HANDLE_VALUE && GetFileInformationByHandle(old, &about)) {
    SetFileTime(file, NULL, NULL, &about.ftLastWriteTime);
  }
  tachy_os_file_close(&old);
  tachy_os_file_close(&file);
}

void *tachy_os_map(size_t size) { return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }

size_t tachy_os_page_size(void) {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}

/* Writes what is there already: a part of a file must keep it. */
void tachy_os_prefer_large_pages(void *memory, size_t size) {
  (void)memory;
  (void)size;
}

void tachy_os_prefault(void *memory, size_t size) {
  const size_t page = tachy_os_page_size();
  volatile unsigned char *const bytes = (volatile unsigned char *)memory;
  for (size_t i = 0; i < size; i += page) bytes[i] = bytes[i];
}

/* The view keeps the mapping, and the file, after the handles are closed. */
void *tachy_os_file_map(tachy_os_file *file, uint64_t offset, size_t size) {
  const HANDLE mapping = CreateFileMappingW(*file, NULL, PAGE_READWRITE, 0, 0, NULL);
  if (!mapping) return NULL;
  void *const memory = MapViewOfFile(mapping, FILE_MAP_WRITE, (DWORD)(offset >> 32), (DWORD)offset, size);
  CloseHandle(mapping);
  return memory;
}

void tachy_os_unmap(void *memory, size_t size) {
  (void)size;
  if (memory) UnmapViewOfFile(memory);
}

/* A view cannot be replaced in part. */
int tachy_os_map_over(void *memory, size_t size) {
  (void)memory;
  (void)size;
  return 0;
}

void tachy_os_on_exit(void (*function)(void)) { atexit(function); }

void tachy_os_on_termination(void (*function)(void)) { (void)function; }
