/* The session file's writer. Slots are added under the threads' lock, names under the registry's, everything else is
 * the collector's; each has a part of the file of its own. */
#include "session_file.h"

#include "../../base/text.h"
#include "../send/description.h"
#include "folder.h"

#define HEADS (TACHY_SESSION_TABLE + TACHY_SESSION_SLOTS * sizeof(tachy_session_slot))

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
static uint64_t end;       /* of the file */
static region names;
static region descriptions[2];
static region states[TACHY_CLASSES][2];
static region journals[TACHY_CLASSES];
static uint64_t journal_sizes[TACHY_CLASSES];
static uint8_t *reels; /* NULL: not there yet */
static uint64_t reels_backed;
static uint64_t epochs[TACHY_CLASSES];
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

/* There is no storage for what has to be kept. Rings and journal can no longer be told from what the batches have: only
 * the batches will be left. */
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
    journals[cls] =
        (region){TACHY_SESSION_JOURNALS + (cls - 1) * TACHY_SESSION_JOURNAL_SIZE, TACHY_SESSION_JOURNAL_SIZE, 0};
    journal_sizes[cls] = 0;
    epochs[cls] = 1;
    which[cls] = 0;
  }
  saved = 0;
  reels = NULL;
  reels_backed = 0;
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

static int make(const char *folder, const char *destination) {
  int made = 0;
  for (unsigned i = 0; i < TRIES && !made; i++) made = make_file(folder);
  if (!made) return 0;
  end = TACHY_SESSION_FIXED;
  tachy_session_head *mapped = NULL;
  if (tachy_os_file_resize(&file, end) && tachy_os_file_back(&file, 0, HEADS)) {
    mapped = (tachy_session_head *)tachy_os_file_map(&file, 0, TACHY_SESSION_FIXED);
  }
  if (!mapped) {
    tachy_os_file_remove(path);
    tachy_os_file_close(&file);
    return 0;
  }
  lay_out();
  mapped->version = TACHY_SESSION_VERSION;
  mapped->slot_size = (uint16_t)(sizeof(tachy_slot) / 16);
  const uint64_t size = tachy_text_cut(destination, strlen(destination), sizeof mapped->destination - 1);
  memcpy(mapped->destination, destination, size);
  TACHY_STORE_RELEASE(&mapped->magic, TACHY_SESSION_MAGIC);
  head = mapped;
  if (!exit_watched) tachy_os_on_exit(leave);
  exit_watched = 1;
  return 1;
}

/* Whether the file lies in this folder and is for this destination. */
static int suits(const char *folder, const char *destination) {
  if (strlen(folder) != folder_size || memcmp(path, folder, folder_size) != 0) return 0;
  const uint64_t size = tachy_text_cut(destination, strlen(destination), sizeof head->destination - 1);
  return strlen(head->destination) == size && memcmp(head->destination, destination, size) == 0;
}

/* A session that wants another file: what the ones before have left in this one is for others. Its mappings stay,
 * threads point into them, and where mappings keep a lock they do so until the process is gone. */
static void part(void) {
  tachy_slots_part();
  tachy_os_file_remove(path);
  tachy_os_file_close(&file);
  head = NULL;
}

void tachy_session_file_open(const char *folder, const char *destination) {
  TACHY_STORE(&recording, 1);
  tachy_registry_lock(); /* nothing registers between the file's making and its being told of what there is */
  if (head && !suits(folder, destination)) part();
  if (!head && folder[0] && make(folder, destination)) tachy_registry_tell();
  tachy_registry_unlock();
}

const char *tachy_session_file_place(char *folder, size_t size) {
  if (!head || folder_size >= size) return NULL;
  memcpy(folder, path, folder_size);
  folder[folder_size] = 0;
  return head->destination;
}

tachy_slot *tachy_session_file_slot(uint64_t size) {
  if (!head || TACHY_LOAD(&given_up)) return NULL;
  const uint64_t index = TACHY_LOAD(&head->slot_count);
  const uint64_t whole = (size + TACHY_OS_MAP_STEP - 1) / TACHY_OS_MAP_STEP * TACHY_OS_MAP_STEP;
  if (index == TACHY_SESSION_SLOTS || !tachy_os_file_resize(&file, end + whole)) return NULL;
  if (!tachy_os_file_back(&file, end, TACHY_STACK_STEP)) return NULL;
  tachy_slot *const slot = (tachy_slot *)tachy_os_file_map(&file, end, size);
  if (!slot) return NULL;
  tachy_session_slot *const table = (tachy_session_slot *)(void *)((uint8_t *)head + TACHY_SESSION_TABLE);
  table[index] = (tachy_session_slot){end, size};
  slot->in_file = (uint32_t)index + 1;
  end += whole;
  TACHY_STORE_RELEASE(&head->slot_count, index + 1);
  return slot;
}

uint8_t *tachy_session_file_reels(uint64_t *size, uint64_t *used) {
  if (!tachy_session_file_protects()) return NULL;
  if (!reels) {
    const uint64_t whole = (*size + TACHY_OS_MAP_STEP - 1) / TACHY_OS_MAP_STEP * TACHY_OS_MAP_STEP;
    tachy_threads_lock(); /* slots are added at the file's end, too */
    if (tachy_os_file_resize(&file, end + whole)) reels = (uint8_t *)tachy_os_file_map(&file, end, whole);
    if (reels) {
      head->reels = end;
      TACHY_STORE_RELEASE(&head->reels_size, whole);
      end += whole;
    }
    tachy_threads_unlock();
    if (!reels) return NULL;
  }
  *size = head->reels_size;
  *used = reels_backed;
  return reels;
}

int tachy_session_file_back_reels(uint64_t size) {
  if (size <= reels_backed) return 1;
  const uint64_t step = BACK_MAX < head->reels_size - reels_backed ? BACK_MAX : head->reels_size - reels_backed;
  if (size > reels_backed + step || !tachy_os_file_back(&file, head->reels + reels_backed, step)) return 0;
  reels_backed += step;
  return 1;
}

int tachy_session_file_back(const tachy_slot *slot, const void *memory, uint64_t size) {
  const uint32_t in_file = TACHY_LOAD(&slot->in_file);
  if (in_file == TACHY_NOT_IN_FILE) return 1;
  if (in_file == TACHY_IN_OLD_FILE) return 0;
  const tachy_session_slot *const table =
      (const tachy_session_slot *)(const void *)((const uint8_t *)head + TACHY_SESSION_TABLE);
  const uint64_t offset = (uint64_t)((uintptr_t)memory - (uintptr_t)slot);
  return tachy_os_file_back(&file, table[in_file - 1].offset + offset, size);
}

/* Names are lost from the first that finds no room on: a reader shows what it does not know as such. */
static void put_name(const tachy_name_entry *entry, const void *bytes) {
  if (!head || names_full) return;
  const uint64_t size = head->names_size;
  const uint64_t more = sizeof *entry + tachy_pad8(entry->size);
  if (!back(&names, size + more)) {
    names_full = 1;
    return;
  }
  uint8_t *const to = at(&names) + size;
  memcpy(to, entry, sizeof *entry);
  if (entry->size) memcpy(to + sizeof *entry, bytes, entry->size);
  TACHY_STORE_RELEASE(&head->names_size, size + more);
}

void tachy_session_file_string(const char *text, uint32_t size) {
  const tachy_name_entry entry = {TACHY_NAME_STRING, size};
  put_name(&entry, text);
}

void tachy_session_file_site(const tachy_site_entry *site) {
  const tachy_name_entry entry = {TACHY_NAME_SITE, sizeof(tachy_name_site)};
  tachy_name_site name = {site->line, site->kind, site->level, 0, {0}};
  memcpy(name.strings, site->strings, sizeof name.strings);
  put_name(&entry, &name);
}

void tachy_session_file_set(const tachy_set_entry *set) {
  const tachy_name_entry entry = {TACHY_NAME_SET, set->count * 8};
  put_name(&entry, set->strings);
}

int tachy_session_file_journal(tachy_class cls, const tachy_journal_entry *entry, const void *bytes, uint64_t size,
                               const void *more, uint64_t more_size) {
  if (!tachy_session_file_protects()) return 1;
  const uint64_t begin = journal_sizes[cls];
  const uint64_t total = sizeof *entry + tachy_pad8(size + more_size);
  if (begin + total > journals[cls].size) return 0;
  if (!back(&journals[cls], begin + total)) {
    give_up();
    return 1;
  }
  uint8_t *to = at(&journals[cls]) + begin;
  memcpy(to, entry, sizeof *entry);
  to += sizeof *entry;
  if (size) memcpy(to, bytes, size);
  if (more_size) memcpy(to + size, more, more_size);
  journal_sizes[cls] = begin + total;
  TACHY_STORE_RELEASE(&head->journal[cls], epochs[cls] << 32 | journal_sizes[cls]);
  return 1;
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
    if (saved >> cls & 1u) {
      which[cls] ^= 1u;
      epochs[cls]++;
      journal_sizes[cls] = 0;
    }
    record->which[cls] = which[cls];
    record->epoch[cls] = epochs[cls];
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
  if (head) tachy_os_file_close(&file);
  head = NULL;
}
