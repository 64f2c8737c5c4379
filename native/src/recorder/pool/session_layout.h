/* The layout of a session file: docs/format.md, "Session file". Its writer is session_file.c, and dead.c reads what a
 * process left. What is marked atomic is stored in one piece, after everything that it stands for. */
#ifndef TACHY_SRC_RECORDER_POOL_SESSION_LAYOUT_H
#define TACHY_SRC_RECORDER_POOL_SESSION_LAYOUT_H

#include "../../base/clock.h"
#include "slot.h"

#define TACHY_SESSION_MAGIC 0x53534554u /* "TESS" */
#define TACHY_SESSION_VERSION 1u

/* Offsets of the regions, and their sizes. They are sparse: what is never used takes no storage. */
#define TACHY_SESSION_HEAD_SIZE UINT64_C(0x10000)
#define TACHY_SESSION_DESCRIPTIONS UINT64_C(0x100000)
#define TACHY_SESSION_DESCRIPTION_SIZE UINT64_C(0x100000) /* two of them */
#define TACHY_SESSION_NAMES UINT64_C(0x400000)
#define TACHY_SESSION_NAMES_SIZE UINT64_C(0x2000000)
#define TACHY_SESSION_STATES UINT64_C(0x4000000)
#define TACHY_SESSION_STATE_SIZE UINT64_C(0x800000) /* two for each class */
#define TACHY_SESSION_POOL UINT64_C(0x8000000)      /* the slots, TACHY_SLOT_BYTES each; then the chunks */

typedef enum tachy_session_life {
  TACHY_LIFE_MAKING = 0,   /* nothing has been committed */
  TACHY_LIFE_RUNNING = 1,  /* of a process that is gone: it was killed */
  TACHY_LIFE_ENDED = 2,    /* the program ended by exit() and did not stop the session */
  TACHY_LIFE_DONE = 3,     /* the batches have everything */
  TACHY_LIFE_RECOVERED = 4 /* the same, with one batch more than was committed, which the recovery made */
} tachy_session_life;

/* What one commit changes. Number n lies in records[n & 1]. */
typedef struct tachy_session_record {
  uint64_t ordinal;
  uint8_t process_id[16];
  uint64_t frequency;
  uint64_t description_size;     /* JSON without its end, in description n & 1 */
  uint32_t which[TACHY_CLASSES]; /* state of the class */
} tachy_session_record;

typedef struct tachy_session_head {
  uint32_t magic;
  uint16_t version;
  uint16_t slot_size;  /* sizeof(tachy_slot) / 16: slots of another layout cannot be read */
  uint32_t life;       /* atomic: tachy_session_life */
  uint32_t crash_kind; /* atomic: tachy_crash_kind */
  char destination[256];
  uint64_t commit;     /* atomic: the ordinal of the last one */
  uint64_t names_size; /* atomic */
  uint64_t slots;      /* room for so many */
  uint64_t chunks;     /* the same */
  tachy_session_record records[2];
} tachy_session_head;

/* Names: entries of multiples of 8 bytes, numbered by kind in the order of the entries. */
enum { TACHY_NAME_STRING = 1, TACHY_NAME_SITE = 2, TACHY_NAME_SET = 3 };

typedef struct tachy_name_entry {
  uint32_t kind;
  uint32_t size; /* string: bytes; site: sizeof(tachy_name_site); set: 8 for each pair */
} tachy_name_entry;

typedef struct tachy_name_site {
  uint32_t line;
  uint8_t kind;
  uint8_t level;
  uint16_t zero;
  uint32_t strings[4]; /* name, target, file, unit */
} tachy_name_site;

/* The state of a class at a commit, when its next block begins: the channel, where the clock was bent since (the
 * oldest first), the clock's points of earlier blocks (the newest first; both tachy_clock_pair), its streams, each with
 * its open spans and its async ends that wait, then the open async spans. */
typedef struct tachy_saved_channel {
  uint64_t sequence;
  uint64_t unit;
  uint64_t from_ticks;
  int64_t from_utc;
  uint64_t stream_count;
  uint64_t async_count;
  uint64_t before_ticks; /* tachy_past */
  int64_t before_utc;
  uint64_t earlier_count;
  uint64_t inner_count;
  uint64_t values_size; /* of the values on async spans, which come last */
} tachy_saved_channel;

typedef struct tachy_saved_stream {
  uint64_t position;
  uint64_t os_id;
  uint64_t total;
  uint64_t last;
  uint64_t known_lost;
  uint64_t emitted;
  uint64_t missed;      /* the part of tachy_slot_missed that blocks have counted */
  uint64_t values_size; /* of the values on the open spans, which come last */
  uint32_t number;
  uint32_t open_count;
  uint32_t held_count;
  uint32_t name_size;
  char name[TACHY_THREAD_NAME_MAX];
} tachy_saved_stream;

typedef struct tachy_saved_open {
  uint64_t ticks;
  int64_t utc;
  uint64_t id;
  uint32_t site;
  uint32_t zero;
} tachy_saved_open;

typedef struct tachy_saved_async {
  uint64_t id;
  uint64_t parent;
  int64_t utc;
  uint32_t site;
  uint32_t depth;
  uint32_t thread;
  uint32_t zero;
} tachy_saved_async;

_Static_assert(sizeof(tachy_session_record) == 56, "session file");
_Static_assert(sizeof(tachy_session_head) == 416, "session file");
_Static_assert(sizeof(tachy_name_entry) == 8 && sizeof(tachy_name_site) == 24, "session file");
_Static_assert(sizeof(tachy_saved_channel) == 88 && sizeof(tachy_saved_stream) == 128, "session file");
_Static_assert(sizeof(tachy_saved_open) == 32 && sizeof(tachy_saved_async) == 40, "session file");
_Static_assert(sizeof(tachy_slot) / 16 < 65536 && sizeof(tachy_slot) % 16 == 0, "session file");

#endif
