/* Claims what dead processes left: their session files become batches, their batches are sent with ours.
 *
 * A session file belongs to who has its lock: the process that records, or the one that recovers it. It is the last
 * file to go, so its batches never lie there without an owner, and every step may be interrupted and done again. */
#include "recover.h"

#include "../../base/entries.h"
#include "../../base/text.h"
#include "../pool/folder.h"
#include "../pool/session_file.h"
#include "../send/description.h"
#include "../send/orphans.h"
#include "../send/outbox.h"
#include "../send/spool.h"
#include "dead.h"

enum { UUID_SIZE = 36 };
#define PATIENCE UINT64_C(5000000000) /* ns */

/* A dead process's session file, locked by us until all of its batches are gone. */
typedef struct claimed_session {
  tachy_claim claim; /* first: the outbox hands back its address */
  struct claimed_session *next;
  int handed_over; /* the outbox has its batches: they are whole, and need no session file to be known as such */
  tachy_os_file file;
  uint8_t id[16];
  char path[TACHY_PATH_MAX];
} claimed_session;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;      /* one recovery at a time */
static tachy_os_mutex list_mutex = TACHY_OS_MUTEX_INIT; /* of `held`; taken last */
static claimed_session *held;
static claimed_session *let_go; /* the outbox has left their batches to a later start */

static void release(claimed_session *s) {
  tachy_os_lock(&list_mutex);
  claimed_session **lists[] = {&held, &let_go};
  for (unsigned i = 0; i < 2; i++) {
    claimed_session **link = lists[i];
    while (*link && *link != s) link = &(*link)->next;
    if (*link) *link = s->next;
  }
  tachy_os_file_close(&s->file);
  tachy_os_unlock(&list_mutex);
  tachy_os_release(s);
}

/* Nothing is left to be sent. */
static void resolved(tachy_claim *claim) {
  claimed_session *const s = (claimed_session *)(void *)claim;
  tachy_os_file_remove(s->path);
  release(s);
}

/* A lock that this process has it could take again: so it looks first. */
int tachy_recover_has(const uint8_t id[16]) {
  const uint8_t *const own = tachy_session_file_id();
  if (own && memcmp(own, id, 16) == 0) return 1;
  tachy_os_lock(&list_mutex);
  const claimed_session *s = held;
  while (s && memcmp(s->id, id, 16) != 0) s = s->next;
  tachy_os_unlock(&list_mutex);
  return s != NULL;
}

/* Locks the session file. NULL: somebody has it, it is gone, or no memory. */
static claimed_session *take(const char *folder, const tachy_file *file, tachy_recovery *found) {
  if (tachy_recover_has(file->id)) return NULL;
  claimed_session *const s = tachy_os_allocate(sizeof *s);
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  memcpy(s->id, file->id, sizeof s->id);
  tachy_folder_path(folder, file->name, s->path);
  s->claim.resolved = resolved;
  tachy_os_lock(&list_mutex); /* what is open is in the list: a forked child must close it */
  const int opened = tachy_os_file_open(&s->file, s->path, TACHY_OS_EXISTING);
  if (opened) {
    s->next = held;
    held = s;
  }
  tachy_os_unlock(&list_mutex);
  if (!opened) {
    tachy_os_release(s);
    return NULL;
  }
  const int locked = tachy_os_file_lock(&s->file);
  if (!locked) found->busy++;
  if (locked && tachy_os_file_is_at(&s->file, s->path)) return s;
  release(s);
  return NULL;
}

static int set_life(claimed_session *s, tachy_session_life life) {
  const uint32_t value = (uint32_t)life;
  return tachy_os_file_write(&s->file, offsetof(tachy_session_head, life), &value, sizeof value);
}

/* Writes what was in the chunks as the batch behind the last committed one. 0: could not. */
static int write_batch(const char *folder, const claimed_session *s, const tachy_session_head *head, tachy_dead *dead) {
  tachy_batch batch;
  memset(&batch, 0, sizeof batch);
  if (!tachy_uuid_of_time(batch.id, tachy_os_utc())) return 0;
  memcpy(batch.process_id, dead->process_id, sizeof batch.process_id);
  batch.description = dead->description;
  batch.blocks = dead->blocks;
  tachy_batch_count(&batch);
  batch.path = tachy_spool_path(folder, s->id, head->commit + 1);
  if (!batch.path) return 0;
  tachy_os_file_remove(batch.path); /* a part, of a batch that was not committed or of a recovery that was killed */
  const int ok = tachy_spool_write(&batch);
  tachy_os_release(batch.path);
  return ok;
}

/* The end of a dead process's description: how it ended, and of what. 0: no memory. */
static int end_description(tachy_bytes *json, const tachy_session_head *head) {
  static const char *const kinds[] = {NULL, "fault", "assert", "memory", "gpu", "hang"};
  if (head->life == TACHY_LIFE_ENDED) return tachy_description_end(json, "exited");
  const int known = head->crash_kind > 0 && head->crash_kind < sizeof kinds / sizeof *kinds;
  return (!known || tachy_description_add(json, "crash-kind", kinds[head->crash_kind])) &&
         tachy_description_end(json, "crashed");
}

/* From chunks to a batch. The last step, one store, makes the batch valid and the chunks void. */
static tachy_status revive(const char *folder, claimed_session *s, tachy_session_head *head, tachy_recovery *found) {
  tachy_dead dead;
  tachy_status status = tachy_dead_read(&s->file, head, &dead);
  if (status == TACHY_OK && !end_description(&dead.description, head)) status = TACHY_ERROR_MEMORY;
  if (status == TACHY_OK && !write_batch(folder, s, head, &dead)) {
    const int room = tachy_dead_thin(&s->file, head);
    if (!room || !write_batch(folder, s, head, &dead)) status = TACHY_ERROR_SYSTEM;
  }
  if (status == TACHY_OK && !set_life(s, TACHY_LIFE_RECOVERED)) status = TACHY_ERROR_SYSTEM;
  if (status == TACHY_OK) {
    found->crashed += head->life == TACHY_LIFE_RUNNING;
    head->life = TACHY_LIFE_RECOVERED;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) found->events[cls] += dead.events[cls];
  }
  tachy_dead_free(&dead);
  return status;
}

/* The number in FOLDER/<id>.<16 digits>.batch; UINT64_MAX: there is none. */
static uint64_t ordinal_of(const char *name) {
  uint64_t ordinal = 0;
  for (unsigned i = 0; i < 16; i++) {
    const char c = name[UUID_SIZE + 1 + i];
    const unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
    if (digit > 15) return UINT64_MAX;
    ordinal = ordinal << 4 | digit;
  }
  return ordinal;
}

/* Hands the batches to the outbox, the oldest first (found: NULL: leaves them where they are). Removes what was never
 * committed: its events are in the chunks. */
static void add_batches(const char *folder, claimed_session *s, uint64_t last, tachy_recovery *found) {
  tachy_bytes files = {0};
  tachy_folder_list(folder, &files);
  for (size_t i = 0; i < tachy_file_count(&files); i++) {
    const tachy_file *const at = tachy_file_at(&files, i);
    char path[TACHY_PATH_MAX];
    tachy_os_file file;
    if (at->kind == TACHY_FILE_SESSION || memcmp(at->id, s->id, sizeof s->id) != 0) continue;
    tachy_folder_path(folder, at->name, path);
    if (strlen(at->name) != UUID_SIZE + 1 + 16 + strlen(".batch") || ordinal_of(at->name) > last) {
      tachy_os_file_remove(path);
    } else if (found && tachy_os_file_open(&file, path, TACHY_OS_EXISTING)) {
      const uint64_t size = tachy_os_file_size(&file);
      tachy_os_file_close(&file);
      tachy_outbox_add_claimed(&s->claim, path, size);
      found->batches++;
    }
  }
  tachy_bytes_free(&files);
}

/* Whether the process that left the file was started by this one, of the environment or in a fork. */
static int is_child_of(const uint8_t parent[16], const claimed_session *s, const tachy_session_head *head) {
  tachy_bytes json = {0};
  char wanted[UUID_SIZE + 1];
  tachy_uuid_print(parent, wanted);
  const int found = tachy_dead_description(&s->file, head, &json) == TACHY_OK &&
                    tachy_description_says(&json, "parent_process_id", wanted);
  tachy_bytes_free(&json);
  return found;
}

/* parent: only what its children left, and tachy_stop waits for it; NULL: everybody's. */
static void recover_one(const char *folder, const tachy_file *file, const char *destination, const uint8_t *parent,
                        tachy_recovery *found) {
  claimed_session *const s = take(folder, file, found);
  if (!s) return;
  tachy_session_head head;
  const int whole = tachy_os_file_read(&s->file, 0, &head, sizeof head);
  head.destination[whole ? sizeof head.destination - 1 : 0] = 0;
  if (!whole || head.magic == 0 || head.life == TACHY_LIFE_MAKING) {
    /* it died while it made the file */
    resolved(&s->claim);
    return;
  }
  if (head.magic != TACHY_SESSION_MAGIC || head.version != TACHY_SESSION_VERSION ||
      head.slot_size != sizeof(tachy_slot) / 16) {
    found->unreadable++;
    release(s);
    return;
  }
  if (parent && !is_child_of(parent, s, &head)) {
    release(s);
    return;
  }
  s->claim.awaited = parent != NULL;
  const int for_others = destination && strcmp(head.destination, destination) != 0;
  tachy_recovery unsaid = {0};
  tachy_recovery *const counted = found;
  if (for_others) found = &unsaid;
  tachy_status status = TACHY_OK;
  if (head.life == TACHY_LIFE_RUNNING || head.life == TACHY_LIFE_ENDED) status = revive(folder, s, &head, found);
  if (status != TACHY_OK) {
    counted->unreadable += !for_others;
    release(s);
    return;
  }
  if (for_others) { /* its batches are for others to send; its chunks are not worth their storage any more */
    add_batches(folder, s, head.commit + (head.life == TACHY_LIFE_RECOVERED), NULL);
    resolved(&s->claim);
    return;
  }
  found->sessions++;
  /* Slots and chunks are of no more use. Without a recovery the process may live on, in another file, with this one
   * mapped, and its threads would touch what is not there. */
  if (head.life == TACHY_LIFE_RECOVERED) tachy_os_file_resize(&s->file, TACHY_SESSION_HEAD_SIZE);
  add_batches(folder, s, head.commit + (head.life == TACHY_LIFE_RECOVERED), found);
  s->handed_over = 1;
  tachy_outbox_close_claim(&s->claim);
}

/* Orphans get a session file, by which they are found. Waits for others who have the folder, but not for ever: they may
 * have been stopped. */
static void give_orphans_sessions(const char *folder, const char *destination) {
  const uint64_t deadline = tachy_os_monotonic() + PATIENCE;
  tachy_orphans orphans;
  while (!tachy_orphans_open(&orphans, folder)) {
    if (tachy_os_monotonic() > deadline) return;
    tachy_os_sleep(2000000);
  }
  tachy_orphans_give_sessions(&orphans, destination);
  tachy_orphans_close(&orphans);
}

/* Under the mutex. 0: the folder could not be read. */
static int recover_all(const char *folder, const char *destination, const uint8_t *parent, tachy_recovery *found) {
  tachy_bytes files = {0};
  const int ok = tachy_folder_list(folder, &files);
  for (size_t i = 0; ok && i < tachy_file_count(&files); i++) {
    const tachy_file *const file = tachy_file_at(&files, i);
    if (file->kind == TACHY_FILE_SESSION) recover_one(folder, file, destination, parent, found);
  }
  tachy_bytes_free(&files);
  return ok;
}

tachy_status tachy_own_recover(const char *folder, tachy_recovery *out) {
  tachy_recovery found;
  char own_folder[TACHY_FOLDER_MAX];
  const char *destination = NULL;
  memset(&found, 0, sizeof found);
  if (out) *out = found;
  if (tachy_own_forking()) return TACHY_ERROR_STATE;
  if (!folder) {
    destination = tachy_session_file_destination(own_folder, sizeof own_folder);
    if (!destination) return TACHY_ERROR_STATE;
    folder = own_folder;
  }
  tachy_os_lock(&mutex);
  give_orphans_sessions(folder, destination);
  const int ok = recover_all(folder, destination, NULL, &found);
  tachy_os_unlock(&mutex);
  if (out) *out = found;
  return ok ? TACHY_OK : TACHY_ERROR_SYSTEM;
}

void tachy_recover_children(const uint8_t parent[16]) {
  tachy_recovery found = {0};
  char folder[TACHY_FOLDER_MAX];
  const char *const destination = tachy_session_file_destination(folder, sizeof folder);
  if (!destination) return;
  tachy_os_lock(&mutex);
  recover_all(folder, destination, parent, &found);
  tachy_os_unlock(&mutex);
}

int tachy_recover_holds(void) {
  tachy_os_lock(&list_mutex);
  const int some = held != NULL;
  tachy_os_unlock(&list_mutex);
  return some;
}

/* Lets go of what the outbox has left to a later start: its batches are orphans. The memory stays: a batch that
 * is taken still may know it. */
void tachy_recover_let_go(void) {
  tachy_os_lock(&list_mutex);
  for (claimed_session *s = held; s; s = s->next) {
    if (s->handed_over) tachy_os_file_remove(s->path);
    tachy_os_file_close(&s->file);
  }
  while (held) {
    claimed_session *const s = held;
    held = s->next;
    s->next = let_go;
    let_go = s;
  }
  tachy_os_unlock(&list_mutex);
}

void tachy_recover_lock(void) { tachy_os_lock(&list_mutex); }
void tachy_recover_unlock(void) { tachy_os_unlock(&list_mutex); }

/* What is being recovered is the parent's, and locked as long as it is open here. fork() does not wait for the end of a
 * recovery: the child looks at nothing else. */
void tachy_recover_after_fork(void) {
  for (claimed_session *s = held; s; s = s->next) tachy_os_file_close(&s->file);
  tachy_os_mutex_init(&mutex);
  tachy_os_mutex_init(&list_mutex);
  held = let_go = NULL;
}
