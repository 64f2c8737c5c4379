/* The flight recorder's tape of one thread: what its span ring held, in the same order, some 7 bytes an event, until it
 * is fed to the thread's stream.
 *
 * Every entry has a key: its own time (a span's end) or that of the entry before, whichever is later. So keys ascend,
 * and "everything up to X" is always a first part of the tape. Only the collector touches a reel. */
#ifndef TACHY_SRC_RECORDER_COLLECT_REEL_H
#define TACHY_SRC_RECORDER_COLLECT_REEL_H

#include "../../encode/stream.h"

#define TACHY_REEL_WORDS 240u
#define TACHY_REEL_CHUNK 8192u

/* Lies in the session file where there is one, and can be read without its neighbours. */
typedef struct tachy_reel_chunk {
  struct tachy_reel_chunk *next;
  uint64_t until;    /* key of its last entry */
  uint64_t since;    /* the key before its first */
  uint64_t position; /* of the first entry in the thread's ring */
  uint64_t done;     /* atomic: bytes of whole entries, and (<< 32) how far beyond `position` the ring is in them */
  uint64_t ordinal;  /* among its thread's */
  uint64_t os_id;
  uint32_t number; /* atomic: of the thread; 0: the chunk is free */
  uint32_t size;
  uint32_t in_file;
  uint32_t name_size;
  char name[TACHY_THREAD_NAME_MAX];
  uint8_t bytes[TACHY_REEL_CHUNK - 120];
} tachy_reel_chunk;

_Static_assert(sizeof(tachy_reel_chunk) == TACHY_REEL_CHUNK, "session file");

/* What the next entry is told against. */
typedef struct tachy_reel_state {
  uint64_t end; /* of the last span */
  uint64_t key;
  uint64_t id;                      /* of the last async span */
  uint32_t words[TACHY_REEL_WORDS]; /* depth and site, by their hash */
} tachy_reel_state;

typedef struct tachy_reel_cursor {
  tachy_reel_chunk *chunk; /* NULL: nothing was ever written */
  uint32_t at;
  tachy_reel_state state;
} tachy_reel_cursor;

typedef enum tachy_reel_kind { TACHY_REEL_SPAN, TACHY_REEL_ASYNC, TACHY_REEL_GAP } tachy_reel_kind;

typedef struct tachy_reel_entry {
  tachy_reel_kind kind;
  uint32_t word; /* span */
  uint64_t begin;
  uint64_t duration;
  uint64_t count; /* gap */
  uint64_t depth;
  tachy_async_record async;
} tachy_reel_entry;

/* What all reels hold. */
typedef struct tachy_reels {
  uint64_t bytes;
  uint64_t events;
  uint8_t *memory; /* in the session file, or NULL; from `used` on nobody has had it */
  uint64_t size;
  uint64_t used;
  tachy_reel_chunk *free;
} tachy_reels;

typedef struct tachy_reel {
  tachy_reels *all;
  const tachy_stream *stream;
  tachy_reel_chunk *first; /* it and what follows are needed after a crash: see tachy_reel_release */
  tachy_reel_chunk *last;
  uint64_t position; /* in the ring: everything before it is on the reel */
  tachy_reel_state writer;
  tachy_reel_cursor reader;
  uint64_t events;
  uint64_t long_duration; /* of the span that comes next */
  uint64_t lost;          /* found no memory; a gap says so as soon as there is some */
  uint32_t lost_depth;
  uint32_t shallowest; /* depth of what was written since somebody set this to TACHY_NO_DEPTH */
} tachy_reel;

/* NULL: no memory. */
tachy_reel *tachy_reel_make(tachy_reels *all, const tachy_stream *stream);
void tachy_reel_free(tachy_reel *reel);

/* Ring records, as tachy_span_records takes them. Returns the bytes read. */
uint64_t tachy_reel_records(tachy_reel *reel, const uint8_t *records, uint64_t size, uint64_t position);
void tachy_reel_gap(tachy_reel *reel, uint64_t count, uint32_t depth);

/* The entry at the cursor, which moves on; its key is the cursor's then. 0: there is none. */
int tachy_reel_next(tachy_reel_cursor *cursor, tachy_reel_entry *entry);
/* The key of the last entry of the oldest chunk that has not been read whole; UINT64_MAX: all has been read. */
uint64_t tachy_reel_oldest(const tachy_reel *reel);
/* The ring record of a span or an async span, in at most 6 words; returns how many. */
uint64_t tachy_reel_record(const tachy_reel_entry *entry, uint64_t *words);
/* Once what has been fed is in a batch, or passed over: lets its memory go. */
void tachy_reel_release(tachy_reel *reel);
/* Feeds the stream everything up to the key. Returns the events. */
uint64_t tachy_reel_feed(tachy_reel *reel, tachy_channel *channel, tachy_stream *stream, uint64_t key);

#endif
