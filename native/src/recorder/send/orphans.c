/* Orphaned batches: found, measured, dropped, given a session file. */
#include "orphans.h"

#include <stdlib.h>

#include "../../base/text.h"
#include "../pool/session_layout.h"
#include "description.h"
#include "spool.h"

enum { UUID_SIZE = 36, NAME_SIZE = 104 };

typedef struct row {
  char name[NAME_SIZE];
  uint64_t storage;
  int64_t utc;
  int session; /* a session file, not a batch */
} row;

static tachy_os_file lock = TACHY_OS_NO_FILE; /* held by one thread of the process at a time */
static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;

typedef struct listing {
  const char *folder;
  tachy_bytes *rows;
} listing;

static void path_of(const char *folder, const char *name, char *path) {
  const size_t size = strlen(folder);
  memcpy(path, folder, size);
  path[size] = '/';
  memcpy(path + size + 1, name, strlen(name) + 1);
}

static int ends_in(const char *name, const char *end) {
  const size_t size = strlen(name);
  return size > strlen(end) && strcmp(name + size - strlen(end), end) == 0;
}

static void add(void *context, const char *name) {
  const listing *const to = context;
  char path[TACHY_FOLDER_MAX + NAME_SIZE];
  row found;
  memset(&found, 0, sizeof found);
  found.session = ends_in(name, ".session");
  if (strlen(name) <= UUID_SIZE || strlen(name) >= NAME_SIZE || name[UUID_SIZE] != '.') return;
  if (!found.session && !ends_in(name, ".batch") && !ends_in(name, ".batch.new")) return;
  memcpy(found.name, name, strlen(name) + 1);
  path_of(to->folder, name, path);
  if (tachy_os_file_look(path, &found.storage, &found.utc)) tachy_bytes_append(to->rows, &found, sizeof found);
}

static row *row_at(const tachy_bytes *rows, size_t i) { return (row *)(void *)rows->bytes + i; }
static size_t count_of(const tachy_bytes *rows) { return rows->size / sizeof(row); }

/* By id, the session file first. */
static int by_owner(const void *a, const void *b) {
  const row *const x = a, *const y = b;
  const int order = memcmp(x->name, y->name, UUID_SIZE);
  if (order) return order;
  return x->session != y->session ? y->session - x->session : strcmp(x->name, y->name);
}

static int by_age(const void *a, const void *b) {
  const row *const x = a, *const y = b;
  return x->utc != y->utc ? (x->utc < y->utc ? -1 : 1) : strcmp(x->name, y->name);
}

static int (*is_held)(const uint8_t id[16]);

void tachy_orphans_init(int (*held)(const uint8_t id[16])) { is_held = held; }

static int is_ours(const char *name) {
  char text[UUID_SIZE + 1] = {0};
  uint8_t id[16];
  memcpy(text, name, UUID_SIZE);
  return tachy_uuid_parse(text, id) && is_held(id);
}

/* Everything that lies there; `use` sums it up. Rows of orphans come first; returns their number. */
static size_t look(const char *folder, tachy_bytes *rows, tachy_folder_use *use) {
  listing to = {folder, rows};
  size_t kept = 0;
  char owner[UUID_SIZE] = {0};
  int ours = 0;
  memset(use, 0, sizeof *use);
  use->oldest = INT64_MAX;
  if (!tachy_os_folder_list(folder, add, &to) || !rows->size) return 0;
  qsort(rows->bytes, count_of(rows), sizeof(row), by_owner);
  for (size_t i = 0; i < count_of(rows); i++) {
    const row at = *row_at(rows, i);
    const int same = memcmp(owner, at.name, UUID_SIZE) == 0;
    if (at.session) {
      memcpy(owner, at.name, UUID_SIZE);
      ours = is_ours(at.name);
      use->sessions += !ours;
    } else if (same) {
      *(ours ? &use->ours : &use->others) += at.storage;
    } else {
      use->orphans += at.storage;
      if (at.utc < use->oldest) use->oldest = at.utc;
      *row_at(rows, kept++) = at;
    }
  }
  return kept;
}

void tachy_orphans_measure(const char *folder, tachy_folder_use *use) {
  tachy_bytes rows = {0};
  look(folder, &rows, use);
  tachy_bytes_free(&rows);
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
  const size_t count = look(folder, &l->rows, &use);
  l->rows.size = count * sizeof(row);
  l->storage = use.orphans;
  if (count) qsort(l->rows.bytes, count, sizeof(row), by_age);
  return 1;
}

void tachy_orphans_close(tachy_orphans *l) {
  tachy_bytes_free(&l->rows);
  tachy_os_folder_unlock(&lock);
  tachy_os_unlock(&mutex);
}

void tachy_orphans_after_fork(void) {
  tachy_os_mutex_init(&mutex);
  tachy_os_file_close(&lock);
}

/* Reads an orphan. 0: there is no memory, or it was unreadable and is gone. */
static int load(tachy_orphans *l, row *at, tachy_batch *batch, char *path, tachy_orphans_dropped *dropped) {
  memset(batch, 0, sizeof *batch);
  path_of(l->folder, at->name, path);
  batch->path = path;
  const tachy_spool_status status = ends_in(at->name, ".new") ? TACHY_SPOOL_DAMAGED : tachy_spool_load(batch);
  if (status == TACHY_SPOOL_OK) return 1;
  if (status == TACHY_SPOOL_DAMAGED) {
    dropped->unreadable += !ends_in(at->name, ".new"); /* which nobody had renamed yet: the old file is there too */
    tachy_os_file_remove(path);
    l->storage -= at->storage;
    at->storage = 0;
  }
  return 0;
}

static void drop_classes(tachy_orphans *l, row *at, unsigned classes, tachy_orphans_dropped *dropped) {
  char path[TACHY_FOLDER_MAX + NAME_SIZE];
  tachy_batch batch;
  int64_t utc;
  if (!load(l, at, &batch, path, dropped)) return;
  uint64_t events[TACHY_CLASSES] = {0};
  int found = 0;
  for (tachy_block **link = &batch.blocks; *link;) {
    tachy_block *const block = *link;
    if (!(classes >> block->head->cls & 1u)) {
      link = &block->next;
      continue;
    }
    events[block->head->cls] += block->head->events;
    *link = block->next;
    tachy_block_free(block);
    found = 1;
  }
  int gone = 0;
  if (!batch.blocks) {
    gone = tachy_os_file_remove(path);
  } else if (found) {
    batch.file_size = 1;
    tachy_batch_changed(&batch);
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
  for (size_t i = 0; i < count_of(&l->rows) && l->storage > goal; i++) {
    if (row_at(&l->rows, i)->storage) drop_classes(l, row_at(&l->rows, i), 1u << cls, dropped);
  }
}

void tachy_orphans_expire(tachy_orphans *l, int64_t before, tachy_orphans_dropped *dropped) {
  for (size_t i = 0; i < count_of(&l->rows) && row_at(&l->rows, i)->utc < before; i++) {
    drop_classes(l, row_at(&l->rows, i), (1u << TACHY_CLASSES) - 1u, dropped);
  }
}

static void give_session(const tachy_orphans *l, const char *name, const char *destination) {
  char session[UUID_SIZE + sizeof ".session"];
  char path[TACHY_FOLDER_MAX + sizeof session];
  tachy_os_file file;
  memcpy(session, name, UUID_SIZE);
  memcpy(session + UUID_SIZE, ".session", sizeof ".session");
  path_of(l->folder, session, path);
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

void tachy_orphans_give_sessions(tachy_orphans *l, const char *destination) {
  size_t count = count_of(&l->rows);
  if (count) qsort(l->rows.bytes, count, sizeof(row), by_owner);
  for (size_t i = 0; i < count; i++) {
    row *const at = row_at(&l->rows, i);
    if (i && memcmp(row_at(&l->rows, i - 1)->name, at->name, UUID_SIZE) == 0) continue;
    /* the first that can be read speaks for all of them: a session file is for one destination */
    int wanted = destination == NULL;
    for (size_t k = i; !wanted && k < count && memcmp(at->name, row_at(&l->rows, k)->name, UUID_SIZE) == 0; k++) {
      char path[TACHY_FOLDER_MAX + NAME_SIZE];
      tachy_batch batch;
      memset(&batch, 0, sizeof batch);
      path_of(l->folder, row_at(&l->rows, k)->name, path);
      batch.path = path;
      if (tachy_spool_load(&batch) != TACHY_SPOOL_OK) continue;
      wanted = tachy_description_is_for(&batch.description, destination);
      tachy_batch_unload(&batch);
      break;
    }
    if (wanted) give_session(l, at->name, destination);
  }
}
