/* Orphaned batches: found, measured, dropped, given a session file. */
#include "orphans.h"

#include <stdlib.h>

#include "../../base/text.h"
#include "../pool/session_layout.h"
#include "description.h"
#include "spool.h"

static tachy_os_file lock = TACHY_OS_NO_FILE; /* held by one thread of the process at a time */
static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;

static int by_age(const void *a, const void *b) {
  const tachy_file *const x = a, *const y = b;
  return x->utc != y->utc ? (x->utc < y->utc ? -1 : 1) : strcmp(x->name, y->name);
}

static int (*is_held)(const uint8_t id[16]);

void tachy_orphans_init(int (*held)(const uint8_t id[16])) { is_held = held; }

/* Everything that lies there; `use` sums it up. Files of orphans come first; returns their number. */
static size_t look(const char *folder, tachy_bytes *files, tachy_folder_use *use) {
  size_t kept = 0;
  uint8_t owner[16] = {0}; /* of the last session file */
  int ours = 0;
  memset(use, 0, sizeof *use);
  use->oldest = INT64_MAX;
  if (!tachy_folder_list(folder, files)) return 0;
  for (size_t i = 0; i < tachy_file_count(files); i++) {
    const tachy_file at = *tachy_file_at(files, i);
    if (at.kind == TACHY_FILE_SESSION) {
      memcpy(owner, at.id, sizeof owner);
      ours = is_held(at.id);
      use->sessions += !ours;
    } else if (memcmp(owner, at.id, sizeof owner) == 0) {
      *(ours ? &use->ours : &use->others) += at.storage;
    } else {
      use->orphans += at.storage;
      if (at.utc < use->oldest) use->oldest = at.utc;
      *tachy_file_at(files, kept++) = at;
    }
  }
  return kept;
}

void tachy_orphans_measure(const char *folder, tachy_folder_use *use) {
  tachy_bytes files = {0};
  look(folder, &files, use);
  tachy_bytes_free(&files);
}

int tachy_orphans_open(tachy_orphans *l, const char *folder) {
  memset(l, 0, sizeof *l);
  memcpy(l->folder, folder, strlen(folder) + 1);
  tachy_os_lock(&mutex);
  if (!tachy_os_folder_lock(&lock, folder)) {
    tachy_os_unlock(&mutex);
    return 0;
  }
  tachy_folder_use use;
  const size_t count = look(folder, &l->files, &use);
  l->files.size = count * sizeof(tachy_file);
  l->storage = use.orphans;
  if (count) qsort(l->files.bytes, count, sizeof(tachy_file), by_age);
  return 1;
}

void tachy_orphans_close(tachy_orphans *l) {
  tachy_bytes_free(&l->files);
  tachy_os_folder_unlock(&lock);
  tachy_os_unlock(&mutex);
}

void tachy_orphans_after_fork(void) {
  tachy_os_mutex_init(&mutex);
  tachy_os_file_close(&lock);
}

/* Reads an orphan. 0: there is no memory, or it was unreadable and is gone. */
static int load(tachy_orphans *l, tachy_file *at, tachy_batch *batch, char *path, tachy_orphans_dropped *dropped) {
  memset(batch, 0, sizeof *batch);
  tachy_folder_path(l->folder, at->name, path);
  batch->path = path;
  const int is_new = at->kind == TACHY_FILE_NEW_BATCH; /* nobody had renamed it yet: the old file is there too */
  const tachy_spool_status status = is_new ? TACHY_SPOOL_DAMAGED : tachy_spool_load(batch);
  if (status == TACHY_SPOOL_OK) return 1;
  if (status == TACHY_SPOOL_DAMAGED) {
    dropped->unreadable += !is_new;
    tachy_os_file_remove(path);
    l->storage -= at->storage;
    at->storage = 0;
  }
  return 0;
}

static void drop_classes(tachy_orphans *l, tachy_file *at, unsigned classes, tachy_orphans_dropped *dropped) {
  char path[TACHY_PATH_MAX];
  tachy_batch batch;
  int64_t utc;
  if (!load(l, at, &batch, path, dropped)) return;
  uint64_t events[TACHY_CLASSES] = {0};
  const int found = tachy_batch_drop(&batch, classes, events);
  int gone = 0;
  if (!batch.blocks) {
    gone = tachy_os_file_remove(path);
  } else if (found) {
    batch.file_size = 1;
    gone = tachy_spool_rewrite(&batch);
    /* where there is no room for a second file while the first is there */
    if (!gone) gone = tachy_os_file_remove(path);
  }
  if (gone) {
    uint64_t storage = 0;
    tachy_os_file_look(path, &storage, &utc);
    l->storage = l->storage - at->storage + storage;
    at->storage = storage;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) dropped->events[cls] += events[cls];
  }
  tachy_batch_unload(&batch);
}

void tachy_orphans_drop(tachy_orphans *l, tachy_class cls, uint64_t goal, tachy_orphans_dropped *dropped) {
  for (size_t i = 0; i < tachy_file_count(&l->files) && l->storage > goal; i++) {
    if (tachy_file_at(&l->files, i)->storage) drop_classes(l, tachy_file_at(&l->files, i), 1u << cls, dropped);
  }
}

void tachy_orphans_expire(tachy_orphans *l, int64_t before, tachy_orphans_dropped *dropped) {
  for (size_t i = 0; i < tachy_file_count(&l->files) && tachy_file_at(&l->files, i)->utc < before; i++) {
    drop_classes(l, tachy_file_at(&l->files, i), (1u << TACHY_CLASSES) - 1u, dropped);
  }
}

static void give_session(const tachy_orphans *l, const uint8_t id[16], const char *destination) {
  char name[] = "00000000-0000-0000-0000-000000000000.session";
  char path[TACHY_PATH_MAX];
  tachy_uuid_print(id, name);
  name[36] = '.';
  tachy_folder_path(l->folder, name, path);
  tachy_os_file file;
  if (!tachy_os_file_open(&file, path, TACHY_OS_NEW)) return;
  tachy_session_head head;
  memset(&head, 0, sizeof head);
  head.magic = TACHY_SESSION_MAGIC;
  head.version = TACHY_SESSION_VERSION;
  head.slot_size = (uint16_t)(sizeof(tachy_slot) / 16);
  head.life = TACHY_LIFE_DONE;
  head.commit = UINT64_MAX - 1; /* all that lie there are whole, or were never renamed */
  if (destination) {
    const uint64_t size = tachy_text_limit(destination, strlen(destination), sizeof head.destination - 1);
    memcpy(head.destination, destination, size);
  }
  const int ok = tachy_os_file_write(&file, 0, &head, sizeof head);
  tachy_os_file_close(&file);
  if (!ok) tachy_os_file_remove(path);
}

/* Whether the session's batches are for this destination: the first that can be read speaks for all of them. */
static int is_for(const tachy_orphans *l, size_t first, const char *destination) {
  for (size_t i = first; i < tachy_file_count(&l->files); i++) {
    const tachy_file *const at = tachy_file_at(&l->files, i);
    char path[TACHY_PATH_MAX];
    tachy_batch batch;
    if (memcmp(at->id, tachy_file_at(&l->files, first)->id, sizeof at->id) != 0) break;
    memset(&batch, 0, sizeof batch);
    tachy_folder_path(l->folder, at->name, path);
    batch.path = path;
    if (tachy_spool_load(&batch) != TACHY_SPOOL_OK) continue;
    const int wanted = tachy_description_is_for(&batch.description, destination);
    tachy_batch_unload(&batch);
    return wanted;
  }
  return 0;
}

void tachy_orphans_give_sessions(tachy_orphans *l, const char *destination) {
  const size_t count = tachy_file_count(&l->files);
  if (count) qsort(l->files.bytes, count, sizeof(tachy_file), tachy_file_order);
  for (size_t i = 0; i < count; i++) {
    const uint8_t *const id = tachy_file_at(&l->files, i)->id;
    if (i && memcmp(id, tachy_file_at(&l->files, i - 1)->id, 16) == 0) continue;
    if (!destination || is_for(l, i, destination)) give_session(l, id, destination);
  }
}
