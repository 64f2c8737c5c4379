/* A thread's events of one class on their way into a block: columns that grow while its records are read.
 *
 * The encoder knows nothing of threads: who feeds it says which stream records are of. Columns whose values depend on
 * other threads' rows (metric values, async ids) are kept raw until the cut. */
#ifndef TACHY_SRC_ENCODE_STREAM_H
#define TACHY_SRC_ENCODE_STREAM_H

#include "../base/buffer.h"
#include "../base/names.h"
#include "../base/past.h"
#include "../base/tables.h"
#include "span_values.h"

#define TACHY_NO_TICKS UINT64_MAX
#define TACHY_NAME_MAX 48

enum {
  TACHY_PLANE_SITE,
  TACHY_PLANE_GAP,
  TACHY_PLANE_DEPTH,
  TACHY_PLANE_LEAD, /* of spans; the time of logs and metrics */
  TACHY_PLANE_TAIL,
  TACHY_PLANE_SET,
  TACHY_PLANE_TYPES,
  TACHY_PLANE_INT,
  TACHY_PLANE_TEXT_SIZE,
  TACHY_PLANES
};

typedef struct tachy_span_level {
  uint64_t child; /* begin of the first child recorded at this depth, or TACHY_NO_TICKS */
  uint64_t size;  /* spans ended at this depth and below since the parent began */
} tachy_span_level;

typedef struct tachy_open_row {
  uint64_t ticks;
  int64_t utc;
  uint64_t id;
  uint32_t site; /* registry number */
} tachy_open_row;

typedef struct tachy_open_async {
  uint64_t id;
  uint64_t parent;
  int64_t utc;   /* of its begin */
  uint32_t site; /* registry number */
  uint32_t depth;
  uint32_t thread; /* number */
  uint32_t state;
} tachy_open_async;

typedef struct tachy_open_asyncs {
  tachy_by_id table;  /* tachy_open_async */
  uint64_t untracked; /* spans that found no room */
  tachy_bytes before; /* tachy_open_async: at the block's start, by id */
  int failed;         /* memory ran out: `before` is not whole */
} tachy_open_asyncs;

typedef struct tachy_raw_metric {
  uint64_t value;
  uint32_t position; /* of the site in the block */
  uint32_t zero;
} tachy_raw_metric;

static inline tachy_open_async *tachy_open_async_at(const tachy_open_asyncs *asyncs, uint64_t i) {
  return (tachy_open_async *)tachy_by_id_at(&asyncs->table, sizeof(tachy_open_async), i);
}

struct tachy_source;

typedef struct tachy_stream {
  struct tachy_stream *next;   /* of the class, by their numbers after tachy_streams_sort */
  struct tachy_stream *before; /* NULL: it is the first */
  struct tachy_source *source; /* of whoever feeds the stream, which the encoder never looks into */
  int gone;                    /* its thread has ended and everything was read: it leaves after the cut */
  uint64_t os_id;
  tachy_class cls;
  uint32_t number;
  uint32_t name_size;
  char name[TACHY_NAME_MAX];
  uint64_t total; /* events of the main rows, recorded or lost, since the session began */
  uint64_t last;  /* ticks of the last main row, or TACHY_NO_TICKS */
  int broken;     /* memory ran out: this block is lost */
  /* this block */
  uint64_t first;
  uint64_t base;
  uint64_t rows;
  uint64_t gap_rows;
  uint64_t async_rows;
  uint64_t dropped;
  uint64_t missed; /* of these, without a gap row: the slot has counted them */
  uint64_t begin_ticks;
  uint64_t end_ticks;
  int64_t begin_utc; /* earliest begin that another block's clock has dated */
  tachy_plane planes[TACHY_PLANES];
  tachy_bytes floats; /* log arguments */
  tachy_bytes text;
  tachy_bytes raw; /* tachy_raw_metric, or tachy_async_record */
  /* async spans */
  tachy_bytes held; /* tachy_async_record: ends that wait for their begins */
  uint64_t resumed; /* the first so many of the async rows have waited in `held` */
  uint64_t begun;   /* the thread's last async begin that was read, by its number within the thread */
  /* spans */
  uint64_t long_duration;
  uint32_t depth;    /* of the last row: so many spans are open there */
  uint32_t open;     /* spans that were open at the block's start and have not been seen to end */
  uint32_t deepest;  /* level in use */
  uint32_t at_start; /* spans in opens at the block's start */
  uint32_t at_end;
  uint32_t room;            /* depths that the next three have memory for */
  tachy_span_level *levels; /* room + 2 */
  tachy_open_row *opens;    /* room, at the block's start */
  tachy_open_row *ends;     /* the same at its end */
  tachy_span_values values;
} tachy_stream;

struct tachy_channel;

/* Who looks at the rows of logs or metrics as they are read. */
typedef struct tachy_watch {
  void (*metric)(struct tachy_channel *channel, uint32_t position, const tachy_metric_record *record);
  void (*log)(struct tachy_channel *channel, uint32_t position, const tachy_log_record *record);
  tachy_bytes kinds; /* the watcher's: u8 by position of the site in the block */
} tachy_watch;

/* One class of the running session. */
typedef struct tachy_channel {
  tachy_class cls;
  tachy_stream *streams;
  tachy_stream *last_stream;
  tachy_by_id streams_by_number; /* found at once: ten thousand threads may have come and gone since the last cut */
  int unsorted;
  tachy_tables tables;
  tachy_open_asyncs asyncs;
  tachy_values values;
  uint64_t events;          /* in the block so far */
  uint64_t bytes;           /* of records in the block so far */
  uint64_t sequence;        /* of the block being made */
  tachy_clock_pair from;    /* where the block begins */
  const tachy_bends *bends; /* of the line that dates it; NULL: none are known */
  tachy_past past;
  uint64_t floor;     /* ticks below this count as read in another life of the counter */
  uint64_t ceiling;   /* the counter began anew, and ticks from here on were read before it did; 0: it has not */
  uint64_t frequency; /* ticks per second, as the block will have it */
  const tachy_names *names;
  tachy_watch *watch; /* NULL: nobody does */
  uint64_t recorded;  /* all events read, and lost, since the session began */
  uint64_t lost;
  uint64_t backwards;
} tachy_channel;

/* NULL: no memory, or there is one of this number. */
tachy_stream *tachy_stream_new(tachy_channel *channel, uint32_t number);
/* The stream of the thread, or NULL. */
tachy_stream *tachy_stream_find(const tachy_channel *channel, uint32_t number);
/* Puts them into the order of their numbers, as in a block. */
void tachy_streams_sort(tachy_channel *channel);
/* Takes the stream out of the channel and frees it. */
void tachy_stream_remove(tachy_channel *channel, tachy_stream *stream);
/* Room for spans of depths up to `depth`. 0: no memory. */
int tachy_stream_reach(tachy_stream *stream, uint32_t depth);
/* After a cut: forgets the rows of all streams. made: there was a block, and the next one has its number. */
void tachy_channel_next_block(tachy_channel *channel, tachy_clock_pair from, int made);
/* Between two blocks, or in one of which nothing was dated yet: the moment `end` is
 * `start` in the new time. start.ticks differ from end.ticks if the counter began anew; before that it had never shown
 * less than `first`. */
void tachy_channel_jump(tachy_channel *channel, tachy_clock_pair end, tachy_clock_pair start, uint64_t first);

/* The two decoders of records: `size` bytes, whole records. Return the bytes read: fewer where something else stands.
 */
uint64_t tachy_span_records(tachy_channel *channel, tachy_stream *stream, const uint8_t *records, uint64_t size);
uint64_t tachy_row_records(tachy_channel *channel, tachy_stream *stream, const uint8_t *records, uint64_t size);
static inline uint64_t tachy_stream_records(tachy_channel *channel, tachy_stream *stream, const uint8_t *records,
                                            uint64_t size) {
  channel->bytes += size;
  return channel->cls == TACHY_CLASS_SPAN ? tachy_span_records(channel, stream, records, size)
                                          : tachy_row_records(channel, stream, records, size);
}
void tachy_channel_free(tachy_channel *channel);

/* A gap row of `count` lost events. */
void tachy_stream_gap(tachy_channel *channel, tachy_stream *stream, uint64_t count, uint32_t depth);
/* Events that were lost and have no row. */
void tachy_stream_drop(tachy_channel *channel, tachy_stream *stream, uint64_t count);

/* Whether the ticks were read before the counter began anew. */
static inline int tachy_is_stale(const tachy_channel *channel, uint64_t ticks) {
  return ticks < channel->floor || (TACHY_UNLIKELY(channel->ceiling != 0) && ticks >= channel->ceiling);
}

/* The time that such an event gets: that of the stream's last row. */
static inline uint64_t tachy_stream_now(const tachy_channel *channel, const tachy_stream *s) {
  return s->last == TACHY_NO_TICKS ? channel->from.ticks : s->last;
}

/* For loops over records, which another core has written: fetches what they come to soon. */
TACHY_INLINE void tachy_read_ahead(const uint8_t *at) { TACHY_PREFETCH((const void *)((uintptr_t)at + 768)); }

/* For loops over rows, which keep in registers where the next one goes: the end of a plane's bytes, and that it has
 * been moved to `end`. */
static inline uint8_t *tachy_behind(const tachy_bytes *bytes) {
  return bytes->size ? bytes->bytes + bytes->size : bytes->bytes;
}
static inline uint32_t *tachy_behind_high(const tachy_plane *plane) {
  return (uint32_t *)(void *)tachy_behind(&plane->high);
}
static inline void tachy_ends_at(tachy_bytes *bytes, const void *end) {
  if (end) bytes->size = (uint64_t)((const uint8_t *)end - bytes->bytes);
}

/* tachy_plane_put of a value that is seldom above 254, whose byte is `low`. */
TACHY_INLINE void tachy_put_small(uint8_t *low, tachy_plane *plane, uint64_t v) {
  *low = v < 255 ? (uint8_t)v : 255;
  if (TACHY_UNLIKELY(v >= 255)) tachy_plane_high(plane, v);
}

/* tachy_plane_put of ticks, which are often above it. */
TACHY_INLINE void tachy_put_ticks(uint8_t *low, uint32_t **high, tachy_plane *plane, uint64_t v) {
  *low = v < 255 ? (uint8_t)v : 255;
  if (v < 255) return;
  *(*high)++ = v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
  if (TACHY_UNLIKELY(v >= UINT32_MAX)) tachy_bytes_put(&plane->wide, &v, sizeof v);
}

static inline void tachy_stream_extend(tachy_stream *s, uint64_t begin, uint64_t end) {
  if (begin < s->begin_ticks) s->begin_ticks = begin;
  if (end > s->end_ticks) s->end_ticks = end;
}

#endif
