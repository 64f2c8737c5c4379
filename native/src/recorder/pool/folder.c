/* Where the session file and the files of unsent batches lie. */
#include "folder.h"

#include <string.h>

#include "../../os/os.h"

static void complain(const char *what, const char *path) {
  static const char rest[] = ": what is not sent dies with the process";
  char line[TACHY_FOLDER_MAX + 256];
  const size_t front = strlen(what);
  const size_t size = strlen(path) < TACHY_FOLDER_MAX ? strlen(path) : TACHY_FOLDER_MAX - 1;
  memcpy(line, what, front);
  memcpy(line + front, path, size);
  memcpy(line + front + size, rest, sizeof rest);
  tachy_os_complain(line);
}

static void find_own(char *path, size_t size) {
  for (unsigned choice = 0; tachy_os_session_folder(choice, path, size); choice++) {
    if (path[0] && tachy_os_folder(path)) return;
  }
  path[0] = 0;
  complain("found no session folder of this user's own", "");
}

void tachy_folder_resolve(const char *given, char *path, size_t size) {
  char named[4 * TACHY_FOLDER_MAX];
  path[0] = 0;
  if (!given || !*given) {
    tachy_os_environment("TACHY_SESSION_FOLDER", named, sizeof named);
    given = named;
  }
  if (!*given) {
    find_own(path, size);
  } else if (strcmp(given, "-") != 0) {
    if (strlen(given) < size) memcpy(path, given, strlen(given) + 1);
    if (path[0] && tachy_os_folder(path)) return;
    path[0] = 0;
    complain("the session folder must be this user's own, and nobody else's to write: ", given);
  }
}
