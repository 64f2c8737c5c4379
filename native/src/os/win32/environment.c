/* Environment variables on Windows, in UTF-8: the C library has them in the process' code page. */
#include <stdlib.h>
#include <string.h>

#include "../os.h"
#include "system.h"

/* Every text that was ever returned, since nobody gives them back. */
typedef struct value {
  struct value *next;
  char text[];
} value;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static value *values;

static const char *keep(const char *text) {
  for (const value *known = values; known; known = known->next) {
    if (strcmp(known->text, text) == 0) return known->text;
  }
  const size_t size = strlen(text) + 1;
  value *const kept = tachy_os_allocate(sizeof *kept + size);
  if (!kept) return NULL;
  memcpy(kept->text, text, size);
  kept->next = values;
  values = kept;
  return kept->text;
}

const char *tachy_os_environment(const char *name) {
  wchar_t wide_name[64];
  wchar_t wide[TACHY_OS_PATH_MAX];
  char text[3 * TACHY_OS_PATH_MAX];
  if (!tachy_os_to_wide(name, wide_name, 64)) return NULL;
  SetLastError(ERROR_SUCCESS);
  const DWORD length = GetEnvironmentVariableW(wide_name, wide, TACHY_OS_PATH_MAX);
  if (length >= TACHY_OS_PATH_MAX || (length == 0 && GetLastError() != ERROR_SUCCESS)) return NULL;
  wide[length] = 0;
  tachy_os_to_utf8(wide, text, sizeof text);
  tachy_os_lock(&mutex);
  const char *const kept = keep(text);
  tachy_os_unlock(&mutex);
  return kept;
}

void tachy_os_complain(const char *line) {
  const HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
  DWORD done;
  if (!out || out == INVALID_HANDLE_VALUE) return;
  WriteFile(out, "tachy: ", 7, &done, NULL);
  WriteFile(out, line, (DWORD)strlen(line), &done, NULL);
  WriteFile(out, "\r\n", 2, &done, NULL);
}

void tachy_os_fail(const char *line) {
  tachy_os_complain(line);
  abort();
}
