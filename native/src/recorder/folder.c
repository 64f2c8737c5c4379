/* Where the session file and the files of unsent batches lie. */
#include "folder.h"

#include <string.h>

#include "../os/os.h"

void tachy_folder_resolve(const char *given, char *path, size_t size) {
  path[0] = 0;
  if (!given || !*given) given = tachy_os_environment("TACHY_SESSION_FOLDER");
  if (!given || !*given) {
    tachy_os_session_folder(path, size);
  } else if (strcmp(given, "-") != 0 && strlen(given) < size) {
    memcpy(path, given, strlen(given) + 1);
  }
  if (path[0] && !tachy_os_folder(path)) path[0] = 0;
}
