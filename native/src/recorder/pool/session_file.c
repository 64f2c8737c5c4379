/* The session file's writer. Names are added under the registry's lock, everything else is the collector's; each has a
 * part of the file of its own. The pool looks after itself. */
#include "session_file.h"

#include "../../base/text.h"
#include "folder.h"

enum { BACK_MAX = 1 << 20, TRIES = 3, UUID_SIZE = 36 };

/* How far a region has storage. */
typedef struct region {
  uint64_t offset;
  uint64_t size;
  uint64_t backed;
} region;

static tachy_os_file file;
static tachy_session_head *head; /* NULL: no file; the mapping of everything before the slots */
static uint8_t id[16];
static char path[TACHY_FOLDER_MAX + sizeof "/00000000-0000-0000-0000-000000000000.session"];
static size_t folder_size; /* of the path */
static region names;
static region descriptions[2];
static region states[TACHY_CLASSES][2];
static uint32_t which[TACHY_CLASSES]; /* state in force */
static unsigned saved;                /* classes whose other state is to come into force */
static uint32_t given_up;             /* atomic */
static uint32_t recording;            /* atomic: a session has begun and has not made its last commit */
static int names_full;
static int exit_watched;
static uint32_t leaving; /* atomic: exit() has been called */

const uint8_t *tachy_session_file_id(void) { return head ? id : NULL; }

int tachy_session_file_protects(void) { return head && !TACHY_LOAD(&given_up); }

static uint8_t *at(const region *r) { return (uint8_t *)head + r->offset; }

/* 0: the region is full, or the file system. */
static int back(region *r, uint64_t size) {
  if (size <= r->backed) return 1;
  if (size > r->size) return 0;
  /* twice as much each time, in steps of BACK_MAX at most: a process that records little takes little */
  uint64_t wanted = r->backed + (r->backed < BACK_MAX ? r->backed : BACK_MAX);
  if (wanted < size) wanted = (size + TACHY_OS_MAP_STEP - 1) / TACHY_OS_MAP_STEP * TACHY_OS_MAP_STEP;
  if (wanted > r->size) wanted = r->size;
  if (!tachy_os_file_back(&file, r->offset + r->backed, wanted - r->backed)) {
    wanted = (size + TACHY_OS_MAP_STEP - 1) / TACHY_OS_MAP_STEP * TACHY_OS_MAP_STEP;
    if (!tachy_os_file_back(&file, r->offset + r->backed, wanted - r->backed)) return 0;
  }
  r->backed = wanted;
  return 1;
}

/* There is no storage for what has to be kept. Nobody could know any more which events of the chunks are in batches
 * already: only the batches will be left. */
static void give_up(void) {
  TACHY_STORE(&given_up, 1);
  TACHY_STORE_RELEASE(&head->life, TACHY_LIFE_DONE);
}

static void lay_out(void) {
  names = (region){TACHY_SESSION_NAMES, TACHY_SESSION_NAMES_SIZE, 0};
  for (unsigned i = 0; i < 2; i++) {
    descriptions[i] =
        (region){TACHY_SESSION_DESCRIPTIONS + i * TACHY_SESSION_DESCRIPTION_SIZE, TACHY_SESSION_DESCRIPTION_SIZE, 0};
  }
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    for (unsigned i = 0; i < 2; i++) {
      states[cls][i] =
          (region){TACHY_SESSION_STATES + (2 * (cls - 1) + i) * TACHY_SESSION_STATE_SIZE, TACHY_SESSION_STATE_SIZE, 0};
    }
    which[cls] = 0;
  }
  saved = 0;
  names_full = 0;
  TACHY_STORE(&given_up, 0);
}

/* The program ends. A session that has ended, or ends from now on, leaves its batches and no session file. */
static void leave(void) {
  TACHY_STORE(&leaving, 1);
  if (!head) return;
  if (TACHY_LOAD(&head->life) == TACHY_LIFE_RUNNING) {
    TACHY_STORE_RELEASE(&head->life, TACHY_LIFE_ENDED);
  } else if (!TACHY_LOAD(&recording)) { /* else more batches may come, that have to have an owner */
    tachy_os_file_remove(path);
  }
}

void tachy_session_file_leave(void) {
  if (head && TACHY_LOAD(&leaving) && TACHY_LOAD(&head->life) == TACHY_LIFE_DONE) tachy_os_file_remove(path);
}

void tachy_session_file_ends(void) {
  if (head && TACHY_LOAD(&head->life) == TACHY_LIFE_RUNNING) TACHY_STORE_RELEASE(&head->life, TACHY_LIFE_ENDED);
}

void tachy_session_file_crash(uint32_t kind) {
  if (head) TACHY_STORE(&head->crash_kind, kind);
}

/* A file of a new name, locked. 0: could not. */
static int make_file(const char *folder) {
  if (!tachy_uuid_random(id)) return 0;
  folder_size = strlen(folder);
  memcpy(path, folder, folder_size);
  path[folder_size] = '/';
  tachy_uuid_print(id, path + folder_size + 1);
  memcpy(path + folder_size + 1 + UUID_SIZE, ".session", sizeof ".session");
  if (!tachy_os_file_open(&file, path, TACHY_OS_NEW)) return 0;
  /* a recovery that looks into the folder just now may have been faster, and does away with an empty file */
  if (tachy_os_file_lock(&file) && tachy_os_file_is_at(&file, path)) return 1;
  tachy_os_file_close(&file);
  return 0;
}

static int make(const char *folder, const char *destination, uint64_t pool_bytes) {
  const uint64_t size = TACHY_SESSION_POOL + tachy_pool_size(pool_bytes);
  int made = 0;
  for (unsigned i = 0; i < TRIES && !made; i++) made = make_file(folder);
  if (!made) return 0;
  tachy_session_head *mapped = NULL;
  if (tachy_os_file_resize(&file, size) && tachy_os_file_back(&file, 0, TACHY_SESSION_HEAD_SIZE)) {
    mapped = (tachy_session_head *)tachy_os_file_map(&file, 0, size);
  }
  if (!mapped || !tachy_pool_open(&file, TACHY_SESSION_POOL, (uint8_t *)mapped + TACHY_SESSION_POOL, pool_bytes)) {
    if (mapped) tachy_os_unmap(mapped, size);
    tachy_os_file_remove(path);
    tachy_os_file_close(&file);
    return 0;
  }
  lay_out();
  mapped->version = TACHY_SESSION_VERSION;
  mapped->slot_size = (uint16_t)(sizeof(tachy_slot) / 16);
  mapped->slots = TACHY_SLOTS_MAX;
  mapped->chunks = pool_bytes / TACHY_CHUNK_BYTES;
  memcpy(mapped->destination, destination,
         tachy_text_limit(destination, strlen(destination), sizeof mapped->destination - 1));
  TACHY_STORE_RELEASE(&mapped->magic, TACHY_SESSION_MAGIC);
  head = mapped;
  if (!exit_watched) tachy_os_on_exit(leave);
  exit_watched = 1;
  return 1;
}

/* Whether the file lies in this folder, is for this destination and holds such a pool. */
static int suits(const char *folder, const char *destination, uint64_t pool_bytes) {
  if (!tachy_pool_suits(&file, pool_bytes)) return 0;
  if (strlen(folder) != folder_size || memcmp(path, folder, folder_size) != 0) return 0;
  const uint64_t size = tachy_text_limit(destination, strlen(destination), sizeof head->destination - 1);
  return strlen(head->destination) == size && memcmp(head->destination, destination, size) == 0;
}

/* A session that wants another file: what the ones before have left in this one is for others. Its mappings stay,
 * threads point into them, and where mappings keep a lock they do so until the process is gone. */
static void part(void) {
  tachy_os_file_remove(path);
  tachy_os_file_close(&file);
  head = NULL;
}

int tachy_session_file_open(const char *folder, const char *destination, uint64_t pool_bytes, int *fresh) {
  TACHY_STORE(&recording, 1);
  *fresh = 0;
  if (head && !suits(folder, destination, pool_bytes)) part();
  if (!head && folder[0]) *fresh = make(folder, destination, pool_bytes);
  return head || tachy_pool_suits(NULL, pool_bytes) || tachy_pool_open(NULL, 0, NULL, pool_bytes);
}

const char *tachy_session_file_destination(char *folder, size_t size) {
  if (!head || folder_size >= size) return NULL;
  memcpy(folder, path, folder_size);
  folder[folder_size] = 0;
  return head->destination;
}

/* Names are lost from the first that finds no room on: a reader shows what it does not know as such. */
void tachy_session_file_name(uint32_t kind, const void *bytes, uint32_t size) {
  if (!head || names_full) return;
  const tachy_name_entry entry = {kind, size};
  const uint64_t used = head->names_size;
  const uint64_t more = sizeof entry + tachy_pad8(size);
  if (!back(&names, used + more)) {
    names_full = 1;
    return;
  }
  uint8_t *const to = at(&names) + used;
  memcpy(to, &entry, sizeof entry);
  if (size) memcpy(to + sizeof entry, bytes, size);
  TACHY_STORE_RELEASE(&head->names_size, used + more);
}

uint64_t tachy_session_file_next(void) { return head ? head->commit + 1 : 0; }

void tachy_session_file_save(tachy_class cls, const tachy_bytes *state) {
  if (!tachy_session_file_protects()) return;
  region *const r = &states[cls][which[cls] ^ 1u];
  const uint64_t size = state->size;
  if (!size || !back(r, size + sizeof size)) {
    give_up();
    return;
  }
  memcpy(at(r), &size, sizeof size);
  memcpy(at(r) + sizeof size, state->bytes, size);
  saved |= 1u << cls;
}

void tachy_session_file_commit(const uint8_t process_id[16], uint64_t frequency, const void *description,
                               uint64_t description_size) {
  if (!head) return;
  const uint64_t ordinal = head->commit + 1;
  tachy_session_record *const record = &head->records[ordinal & 1];
  region *const r = &descriptions[ordinal & 1];
  if (!description || !back(r, description_size)) give_up();
  record->ordinal = ordinal;
  memcpy(record->process_id, process_id, sizeof record->process_id);
  record->frequency = frequency;
  if (TACHY_LOAD(&given_up)) {
    TACHY_STORE_RELEASE(&head->commit, ordinal);
    return;
  }
  memcpy(at(r), description, description_size);
  record->description_size = description_size;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (saved >> cls & 1u) which[cls] ^= 1u;
    record->which[cls] = which[cls];
  }
  saved = 0;
  TACHY_STORE_RELEASE(&head->commit, ordinal);
  /* a session's first one. The program may be at its end already, which stays so */
  const uint32_t life = TACHY_LOAD(&head->life);
  if (life == TACHY_LIFE_MAKING || life == TACHY_LIFE_DONE) TACHY_STORE_RELEASE(&head->life, TACHY_LIFE_RUNNING);
}

void tachy_session_file_done(void) {
  if (head) TACHY_STORE_RELEASE(&head->life, TACHY_LIFE_DONE);
  TACHY_STORE(&recording, 0);
}

/* The file is the parent's, and its mappings are not here. */
void tachy_session_file_after_fork(void) {
  tachy_pool_after_fork();
  if (head) tachy_os_file_close(&file);
  head = NULL;
}
