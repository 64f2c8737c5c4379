/* The flight recorder's tape of one thread: what its span ring held, in the same order, some 7 bytes an event, until it
 * is fed to the thread's stream.
 *
 * Every entry has a key: its own time (a span's end) or that of the entry before, whichever is later. So keys ascend,
 * and "everything up to X" is always a first part of the tape. Only the collector touches a reel. */
#ifndef TACHY_SRC_RECORDER_REEL_H
#define TACHY_SRC_RECORDER_REEL_H

#include "stream.h"

#define TACHY_REEL_WORDS 240u

typedef struct tachy_reel_chunk {
  struct tachy_reel_chunk *next;
  uint64_t until; /* key of its last entry */
  uint32_t size;
  uint32_t capacity;
  uint8_t bytes[];
} tachy_reel_chunk;

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
} tachy_reels;

typedef struct tachy_reel {
  tachy_reels *all;
  tachy_reel_chunk *last;
  tachy_reel_state writer;
  tachy_reel_cursor reader;
  uint64_t events;
  uint64_t long_duration; /* of the span that comes next */
  uint64_t lost;          /* found no memory; a gap says so as soon as there is some */
  uint32_t lost_depth;
  uint32_t shallowest; /* depth of what was written since somebody set this to TACHY_NO_DEPTH */
} tachy_reel;

/* NULL: no memory. */
tachy_reel *tachy_reel_make(tachy_reels *all);
void tachy_reel_free(tachy_reel *reel);

/* Ring records, as tachy_span_records takes them. Returns the bytes read. */
uint64_t tachy_reel_records(tachy_reel *reel, const uint8_t *records, uint64_t size);
void tachy_reel_gap(tachy_reel *reel, uint64_t count, uint32_t depth);

/* The entry at the cursor, which moves on; its key is the cursor's then. 0: there is none. */
int tachy_reel_next(tachy_reel_cursor *cursor, tachy_reel_entry *entry);
/* The key of the last entry of the oldest chunk that has not been read whole; UINT64_MAX: all has been read. */
uint64_t tachy_reel_oldest(const tachy_reel *reel);
/* Feeds the stream everything up to the key. Returns the events. */
uint64_t tachy_reel_feed(tachy_reel *reel, tachy_channel *channel, tachy_stream *stream, uint64_t key);

#endif
