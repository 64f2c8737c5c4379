/* Where the session file and the files of unsent batches lie, and what lies there. */
#include "folder.h"

#include "../../base/text.h"

enum { UUID_SIZE = 36 };

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

void tachy_folder_path(const char *folder, const char *name, char path[TACHY_PATH_MAX]) {
  const size_t size = strlen(folder);
  memcpy(path, folder, size);
  path[size] = '/';
  memcpy(path + size + 1, name, strlen(name) + 1);
}

typedef struct listing {
  const char *folder;
  tachy_bytes *files;
  int failed;
} listing;

static void add(void *context, const char *name) {
  static const char *const ends[] = {".session", ".batch", ".batch.new"};
  listing *const to = context;
  const size_t size = strlen(name);
  char text[UUID_SIZE + 1] = {0};
  char path[TACHY_PATH_MAX];
  tachy_file file;
  memset(&file, 0, sizeof file);
  if (size <= UUID_SIZE || size >= sizeof file.name || name[UUID_SIZE] != '.') return;
  memcpy(text, name, UUID_SIZE);
  memcpy(file.name, name, size);
  unsigned kind = 0;
  while (kind < 3 && (size < strlen(ends[kind]) || strcmp(name + size - strlen(ends[kind]), ends[kind]) != 0)) kind++;
  file.kind = (tachy_file_kind)kind;
  if (kind == 3 || !tachy_uuid_parse(text, file.id)) return;
  tachy_folder_path(to->folder, name, path);
  if (!tachy_os_file_look(path, &file.storage, &file.utc)) return; /* it has gone */
  if (!tachy_bytes_append(to->files, &file, sizeof file)) to->failed = 1;
}

int tachy_file_order(const void *a, const void *b) {
  const tachy_file *const x = a, *const y = b;
  const int order = memcmp(x->id, y->id, sizeof x->id);
  if (order) return order;
  return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->name, y->name);
}

int tachy_folder_list(const char *folder, tachy_bytes *files) {
  listing to = {folder, files, 0};
  const int ok = tachy_os_folder_list(folder, add, &to) && !to.failed;
  if (files->size) qsort(files->bytes, tachy_file_count(files), sizeof(tachy_file), tachy_file_order);
  return ok;
}
