/* A thread's events of one class on their way into a block: columns that grow while the ring is drained.
 *
 * Only the collector touches a stream. Columns whose values depend on other threads' rows (metric values, async ids)
 * are kept raw until the cut. */
#ifndef TACHY_SRC_ENCODE_STREAM_H
#define TACHY_SRC_ENCODE_STREAM_H

#include "../base/buffer.h"
#include "../base/past.h"
#include "../base/tables.h"
#include "../recorder/sites/names.h"
#include "../recorder/threads/threads.h"

#define TACHY_NO_TICKS UINT64_MAX
#define TACHY_UNSEEN UINT64_MAX

/* Exact division by the block's tick unit: one multiplication, and it tells whether it was exact. */
typedef struct tachy_divider {
  uint64_t unit;
  uint64_t inverse;
  uint64_t limit;
  uint32_t shift;
} tachy_divider;

tachy_divider tachy_divider_make(uint64_t unit);

static inline uint64_t tachy_divide(const tachy_divider *d, uint64_t v) {
  const uint64_t product = v * d->inverse;
  return product >> d->shift | product << (-d->shift & 63u);
}

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
  tachy_open_async *entries; /* capacity, a power of two, at most half of them in use */
  uint64_t capacity;
  uint64_t count;
  uint64_t untracked; /* spans that found no room */
  tachy_bytes before; /* tachy_open_async: at the block's start, by id */
  int failed;         /* memory ran out: `before` is not whole */
} tachy_open_asyncs;

typedef struct tachy_raw_metric {
  uint64_t value;
  uint32_t place; /* of the site in the block */
  uint32_t zero;
} tachy_raw_metric;

typedef struct tachy_stream {
  struct tachy_stream *next;  /* of the class, ascending numbers */
  tachy_slot *slot;           /* NULL once the thread has gone and everything was read */
  tachy_ring_front *front;    /* the slot's; valid as long */
  tachy_ring_front own_front; /* as it was at first; of a dead process's stream, which has no slot yet, as it is */
  uint64_t seen_missed;       /* of a dead process's stream: tachy_slot_missed, or TACHY_UNSEEN */
  int gone;                   /* the same: the journal has its end */
  int known;                  /* to the session file */
  uint64_t position;          /* read up to here */
  struct tachy_reel *reel;    /* flight recorder: where the ring is read to, instead of into the rows; else NULL */
  uint64_t os_id;
  uint32_t number;
  uint32_t name_size;
  char name[TACHY_THREAD_NAME_MAX];
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
  uint64_t missed; /* of them, those of the slot's counters */
  uint64_t begin_ticks;
  uint64_t end_ticks;
  int64_t begin_utc; /* earliest begin that another block's clock has dated */
  tachy_plane planes[TACHY_PLANES];
  tachy_bytes floats; /* log arguments */
  tachy_bytes text;
  tachy_bytes raw; /* tachy_raw_metric, or tachy_async_record */
  /* async spans */
  tachy_bytes held; /* tachy_async_record: ends that wait for their begins */
  uint64_t resumed; /* so many of the async rows have waited */
  /* spans */
  uint64_t long_duration;
  uint32_t depth;    /* of the last row: so many spans are open there */
  uint32_t open;     /* spans that were open at the block's start and have not been seen to end */
  uint32_t deepest;  /* level in use */
  uint32_t at_start; /* spans in opens at the block's start */
  uint32_t at_end;
  tachy_span_level *levels; /* TACHY_DEPTH_MAX + 2 */
  tachy_open_row *opens;    /* TACHY_DEPTH_MAX, at the block's start */
  tachy_open_row *ends;     /* the same at its end */
} tachy_stream;

/* One class of the running session. */
typedef struct tachy_channel {
  tachy_class cls;
  tachy_stream *streams;
  tachy_tables tables;
  tachy_open_asyncs asyncs;
  tachy_divider divider;
  uint64_t unit;         /* that a block starts with */
  uint64_t rescaled;     /* blocks in a row that needed a smaller one */
  uint64_t events;       /* in the block so far */
  uint64_t sequence;     /* of the block being made */
  tachy_clock_pair from; /* where the block begins */
  tachy_past past;
  uint64_t frequency; /* ticks per second, as the block will have it */
  const tachy_names *names;
  struct tachy_watch *watch; /* logs and metrics: looks at the rows for triggers; NULL: nobody does */
  uint64_t recorded;         /* all events read, and lost, since the session began */
  uint64_t lost;
  uint64_t backwards;
} tachy_channel;

/* NULL: no memory, or there is one of this number. */
tachy_stream *tachy_stream_new(tachy_channel *channel, uint32_t number);
tachy_stream *tachy_stream_make(tachy_channel *channel, tachy_slot *slot);
/* The stream of the thread, or NULL. */
tachy_stream *tachy_stream_find(const tachy_channel *channel, uint32_t number);
/* Takes it out of the channel and frees it. */
void tachy_stream_remove(tachy_channel *channel, tachy_stream *stream);
/* Forgets the rows of the block that was cut. */
void tachy_stream_next_block(tachy_stream *stream);
/* All of them; streams of threads that have gone leave. made: there was a block, and the next one has its number. */
void tachy_channel_next_block(tachy_channel *channel, tachy_clock_pair from, int made);
void tachy_stream_free(tachy_stream *stream);

/* Reads the ring up to `head`, without giving its memory back to the thread. */
void tachy_stream_read(tachy_channel *channel, tachy_stream *stream, uint64_t head);
/* The same for `size` bytes of one lap that lie somewhere else. */
void tachy_stream_feed(tachy_channel *channel, tachy_stream *stream, const uint8_t *bytes, uint64_t size);
/* Events that were lost and that no gap record in the ring has told of yet. */
typedef struct tachy_untold {
  uint64_t count;
  uint32_t depth;
} tachy_untold;
/* Reads everything that is there, and makes a gap row of the losses that no gap record tells of yet, which it returns;
 * spans: ends[0 .. depth) is the stack at the last row. */
tachy_untold tachy_stream_settle(tachy_channel *channel, tachy_stream *stream);

/* The two decoders of ring records: `size` bytes within one lap, up to a gap or padding. Return the bytes read. */
uint64_t tachy_span_records(tachy_channel *channel, tachy_stream *stream, const uint8_t *records, uint64_t size);
uint64_t tachy_row_records(tachy_channel *channel, tachy_stream *stream, const uint8_t *records, uint64_t size);
void tachy_channel_free(tachy_channel *channel);

/* A gap row of `count` lost events. */
void tachy_stream_gap(tachy_channel *channel, tachy_stream *stream, uint64_t count, uint32_t depth);
/* Events that were lost and have no row. */
void tachy_stream_drop(tachy_channel *channel, tachy_stream *stream, uint64_t count);
/* The quotient of v by the unit, which is made smaller if need be. */
uint64_t tachy_channel_divide_slow(tachy_channel *channel, uint64_t v);

static inline uint64_t tachy_channel_divide(tachy_channel *channel, uint64_t v) {
  const uint64_t q = tachy_divide(&channel->divider, v);
  return TACHY_LIKELY(q <= channel->divider.limit) ? q : tachy_channel_divide_slow(channel, v);
}

static inline void tachy_stream_extend(tachy_stream *s, uint64_t begin, uint64_t end) {
  if (begin < s->begin_ticks) s->begin_ticks = begin;
  if (end > s->end_ticks) s->end_ticks = end;
}

#endif
