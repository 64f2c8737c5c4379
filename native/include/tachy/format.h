/* The layouts of chunks, blocks and batches: the one file that the recorder and the reader share.
 *
 * docs/format.md is the specification; the numbers here are the same numbers. Nothing in this file allocates, calls the
 * system or depends on more than <stdint.h>. Enumerations are append-only.
 */
#ifndef TACHY_FORMAT_H
#define TACHY_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define TACHY_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define TACHY_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#define TACHY_FORMAT_VERSION 1u
#define TACHY_BLOCK_MAGIC 0x4B4C4254u   /* "TBLK" */
#define TACHY_BATCH_MAGIC 0x54414254u   /* "TBAT" */
#define TACHY_SEGMENT_MAGIC 0x47455354u /* "TSEG" */

#define TACHY_DEPTH_MAX 1024u /* entries of a shadow stack; depths are 0 .. 1023 */
#define TACHY_IMAGE_TARGET "tachy.image"
#define TACHY_IMAGE_MAX (UINT64_C(16) << 20) /* bytes */
#define TACHY_SITE_MAX 0x3FFFFFu             /* site numbers are 1 .. 2^22 - 1 */
#define TACHY_DEPTH_SHIFT 22u                /* in a span record's last word */
#define TACHY_LOG_ARGS_MAX 8u
#define TACHY_CLOCK_EARLIER_MAX 64u  /* starts of earlier blocks in a block */
#define TACHY_CLOCK_INNER_MAX 65536u /* points of a block's clock between its start and its end */

typedef enum tachy_class { TACHY_CLASS_LOG = 1, TACHY_CLASS_METRIC = 2, TACHY_CLASS_SPAN = 3 } tachy_class;
#define TACHY_CLASSES 4u /* arrays by tachy_class; element 0 is unused */

typedef enum tachy_codec {
  TACHY_CODEC_NONE = 0,
  TACHY_CODEC_ZSTD = 1,
  TACHY_CODEC_LZ4 = 2,
  TACHY_CODEC_GZIP = 3
} tachy_codec;

typedef enum tachy_level {
  TACHY_LEVEL_NONE = 0,
  TACHY_LEVEL_FATAL = 1,
  TACHY_LEVEL_ERROR = 2,
  TACHY_LEVEL_WARN = 3,
  TACHY_LEVEL_INFO = 4,
  TACHY_LEVEL_DEBUG = 5,
  TACHY_LEVEL_TRACE = 6
} tachy_level;

typedef enum tachy_site_kind {
  TACHY_SITE_SPAN = 0,
  TACHY_SITE_LOG = 1,
  TACHY_SITE_METRIC_INT = 2,
  TACHY_SITE_METRIC_F64 = 3,
  TACHY_SITE_METRIC_TICKS = 4,
  TACHY_SITE_FRAME = 5,
  TACHY_SITE_ASYNC = 6,
  TACHY_SITE_VALUE = 7
} tachy_site_kind;

typedef enum tachy_arg_type {
  TACHY_ARG_END = 0,
  TACHY_ARG_I64 = 1,
  TACHY_ARG_U64 = 2,
  TACHY_ARG_F64 = 3,
  TACHY_ARG_TEXT = 4,
  TACHY_ARG_POINTER = 5
} tachy_arg_type;

/* Of a value on a span. */
typedef enum tachy_value_type {
  TACHY_VALUE_I64 = 1,
  TACHY_VALUE_U64 = 2,
  TACHY_VALUE_F64 = 3,
  TACHY_VALUE_TEXT = 4,
  TACHY_VALUE_FLOW = 5, /* the number of a flow: it leads through all spans that have it */
  TACHY_VALUE_BOOL = 6
} tachy_value_type;

#define TACHY_SPAN_VALUES_MAX 32u /* values of one span */
#define TACHY_VALUE_TEXT_MAX 255u /* bytes of a text, its mark included */

/* Chunks --------------------------------------------------------------------------------------------------------- */

#define TACHY_CONTROL_FIRST UINT64_C(0xFFFFFFE000000000)
#define TACHY_CONTROL_LONG UINT64_C(0xFFFFFFFFFFFFFFFD)
#define TACHY_CONTROL_ASYNC_BEGIN UINT64_C(0xFFFFFFFFFFFFFFFC)
#define TACHY_CONTROL_ASYNC_END UINT64_C(0xFFFFFFFFFFFFFFFB)
/* The first of a range of codes each: what else is in them, see tachy_value_record. */
#define TACHY_CONTROL_VALUE UINT64_C(0xFFFFFFF000000000)
#define TACHY_CONTROL_ASYNC_VALUE UINT64_C(0xFFFFFFE000000000)
#define TACHY_CONTROL_VALUE_END UINT64_C(0xFFFFFFFF00000000) /* from here on: the single codes above */

typedef struct tachy_span_record {
  uint64_t begin;    /* ticks */
  uint32_t duration; /* ticks; UINT32_MAX: the tachy_long_record before it has it */
  uint32_t word;     /* depth << 22 | site */
} tachy_span_record;

typedef struct tachy_long_record {
  uint64_t control; /* TACHY_CONTROL_LONG */
  uint64_t duration;
} tachy_long_record;

#define TACHY_ASYNC_SHIFT 40u /* id of an async span: the number of the thread that began it, and the count there */
#define TACHY_ASYNC_COUNT ((UINT64_C(1) << TACHY_ASYNC_SHIFT) - 1)

typedef struct tachy_async_record {
  uint64_t control; /* TACHY_CONTROL_ASYNC_BEGIN or _END */
  uint64_t ticks;
  uint32_t site;
  uint32_t depth;
  uint64_t id;
  uint64_t parent;
  uint64_t values; /* end: at least so many were given to the span */
} tachy_async_record;

typedef struct tachy_value_record {
  uint64_t control; /* TACHY_CONTROL_VALUE or _ASYNC_VALUE | tachy_value_type << 32 | depth << 22 (not async) | site */
  uint64_t bits;    /* of the number; text: its size. Its bytes come last, with zeros to a multiple of 16 */
} tachy_value_record;

typedef struct tachy_async_value_record {
  tachy_value_record value;
  uint64_t id;
  uint64_t zero;
} tachy_async_value_record;

typedef struct tachy_metric_record {
  uint64_t ticks;
  uint64_t value;
  uint32_t site;
  uint32_t set;
} tachy_metric_record;

typedef struct tachy_log_record {
  uint64_t ticks;
  uint32_t site;
  uint32_t set;
  uint32_t size;  /* of the record with its arguments */
  uint32_t types; /* 4 bits each, the first argument lowest */
} tachy_log_record;

typedef struct tachy_open_span {
  uint64_t begin; /* ticks */
  uint32_t site;
  uint32_t zero;
} tachy_open_span;

TACHY_STATIC_ASSERT(sizeof(tachy_span_record) == 16, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_long_record) == 16, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_async_record) == 48, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_value_record) == 16, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_async_value_record) == 32, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_metric_record) == 24, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_log_record) == 24, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_open_span) == 16, "format");

/* Blocks --------------------------------------------------------------------------------------------------------- */

typedef struct tachy_block_header {
  uint32_t magic;
  uint16_t version;
  uint8_t cls;   /* tachy_class */
  uint8_t codec; /* tachy_codec */
  uint32_t header_size;
  uint32_t thread_count;
  uint8_t process_id[16];
  uint64_t sequence;
  uint64_t ticks0;
  int64_t utc0;
  uint64_t ticks1;
  int64_t utc1;
  uint64_t frequency;
  uint64_t begin_ticks;
  uint64_t end_ticks;
  int64_t begin_utc;
  int64_t end_utc;
  uint64_t events;
  uint64_t dropped;
  uint64_t raw_size;
  uint64_t stored_size;
  uint64_t body_hash;
  uint64_t header_hash;
  uint64_t before_ticks;
  int64_t before_utc;
  uint64_t sequences; /* that a merged block covers, `sequence` the first of them (0: one) */
  uint8_t zeros[24];
} tachy_block_header;

typedef struct tachy_block_thread {
  uint32_t number;
  uint32_t name_size;
  uint64_t name_offset;
  uint64_t os_id;
  uint64_t rows;
  uint64_t async_rows;
  uint64_t events;
  uint64_t dropped;
  uint64_t first;
  uint64_t base_ticks;
  uint64_t begin_ticks;
  uint64_t end_ticks;
  int64_t begin_utc;
  int64_t end_utc;
  uint32_t open_at_start;
  uint32_t open_at_end;
} tachy_block_thread;

typedef struct tachy_body_header {
  uint32_t column_count;
  uint32_t zero;
} tachy_body_header;

typedef struct tachy_column {
  uint16_t id;
  uint16_t encoding;
  uint32_t zero;
  uint64_t count;
  uint64_t size;
} tachy_column;

TACHY_STATIC_ASSERT(sizeof(tachy_block_header) == 208, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_block_thread) == 112, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_body_header) == 8, "format");
TACHY_STATIC_ASSERT(sizeof(tachy_column) == 24, "format");

enum { TACHY_BODY_PARTS_MAX = 256 }; /* tachy_body_parts */
enum { TACHY_ENCODING_UINT = 1, TACHY_ENCODING_F64 = 2, TACHY_ENCODING_BYTES = 3 };

typedef enum tachy_column_id {
  TACHY_COLUMN_STRING_SIZE = 1,
  TACHY_COLUMN_STRING_BYTES = 2,
  TACHY_COLUMN_SITE_ID = 3,
  TACHY_COLUMN_SITE_NAME = 4,
  TACHY_COLUMN_SITE_TARGET = 5,
  TACHY_COLUMN_SITE_FILE = 6,
  TACHY_COLUMN_SITE_UNIT = 7,
  TACHY_COLUMN_SITE_LINE = 8,
  TACHY_COLUMN_SITE_LEVEL = 9,
  TACHY_COLUMN_SITE_KIND = 10,
  TACHY_COLUMN_SET_SIZE = 11,
  TACHY_COLUMN_SET_KEY = 12,
  TACHY_COLUMN_SET_VALUE = 13,
  TACHY_COLUMN_GAP_COUNT = 14,
  TACHY_COLUMN_CLOCK_TICKS = 15,
  TACHY_COLUMN_CLOCK_UTC = 16,
  TACHY_COLUMN_CLOCK_INNER_TICKS = 17,
  TACHY_COLUMN_CLOCK_INNER_UTC = 18,
  TACHY_COLUMN_ROW_SITE = 20,
  TACHY_COLUMN_ROW_TIME = 21,
  TACHY_COLUMN_ROW_SET = 22,
  TACHY_COLUMN_VALUE_INT = 23,
  TACHY_COLUMN_VALUE_F64 = 24,
  TACHY_COLUMN_LOG_TYPES = 25,
  TACHY_COLUMN_LOG_INT = 26,
  TACHY_COLUMN_LOG_F64 = 27,
  TACHY_COLUMN_LOG_TEXT_SIZE = 28,
  TACHY_COLUMN_LOG_TEXT_BYTES = 29,
  TACHY_COLUMN_VALUE_SCALE = 30,
  TACHY_COLUMN_VALUE_F32 = 31,
  TACHY_COLUMN_SPAN_DEPTH = 40,
  TACHY_COLUMN_SPAN_LEAD = 41,
  TACHY_COLUMN_SPAN_TAIL = 42,
  TACHY_COLUMN_OPEN_START_SITE = 43,
  TACHY_COLUMN_OPEN_START_TICKS = 44,
  TACHY_COLUMN_OPEN_START_UTC = 45,
  TACHY_COLUMN_OPEN_START_ID = 46,
  TACHY_COLUMN_OPEN_END_SITE = 47,
  TACHY_COLUMN_OPEN_END_TICKS = 48,
  TACHY_COLUMN_OPEN_END_UTC = 49,
  TACHY_COLUMN_OPEN_END_ID = 50,
  TACHY_COLUMN_ASYNC_KIND = 60,
  TACHY_COLUMN_ASYNC_TIME = 61,
  TACHY_COLUMN_ASYNC_SITE = 62,
  TACHY_COLUMN_ASYNC_ID = 63,
  TACHY_COLUMN_ASYNC_PARENT = 64,
  TACHY_COLUMN_ASYNC_DEPTH = 65,
  TACHY_COLUMN_OPEN_ASYNC_ID = 66,
  TACHY_COLUMN_OPEN_ASYNC_PARENT = 67,
  TACHY_COLUMN_OPEN_ASYNC_SITE = 68,
  TACHY_COLUMN_OPEN_ASYNC_UTC = 69,
  TACHY_COLUMN_OPEN_ASYNC_DEPTH = 70,
  TACHY_COLUMN_OPEN_ASYNC_THREAD = 71,
  TACHY_COLUMN_SPAN_VALUE_OWNER = 80,
  TACHY_COLUMN_SPAN_VALUE_SITE = 81,
  TACHY_COLUMN_SPAN_VALUE_TYPE = 82,
  TACHY_COLUMN_SPAN_VALUE_INT = 83,
  TACHY_COLUMN_SPAN_VALUE_F64 = 84,
  TACHY_COLUMN_SPAN_VALUE_TEXT_SIZE = 85,
  TACHY_COLUMN_SPAN_VALUE_TEXT_BYTES = 86
} tachy_column_id;

/* Batches and segments ------------------------------------------------------------------------------------------- */

typedef struct tachy_batch_header {
  uint32_t magic;
  uint16_t version;
  uint16_t zero;
  uint8_t batch_id[16];
  uint8_t process_id[16];
  uint32_t description_size;
  uint32_t block_count;
  uint64_t total_size;
  uint64_t header_hash;
} tachy_batch_header;

TACHY_STATIC_ASSERT(sizeof(tachy_batch_header) == 64, "format");

/* Arithmetic that both sides must do alike ----------------------------------------------------------------------- */

static inline uint64_t tachy_pad8(uint64_t size) { return (size + 7u) & ~UINT64_C(7); }

static inline uint64_t tachy_zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }

static inline int64_t tachy_unzigzag(uint64_t v) { return (int64_t)((v >> 1) ^ (~(v & 1u) + 1u)); }

/* Whether a record of the span class is a value on a span, and its bytes. */
static inline int tachy_is_value(uint64_t first_word) {
  return first_word >= TACHY_CONTROL_ASYNC_VALUE && first_word < TACHY_CONTROL_VALUE_END;
}

static inline uint32_t tachy_value_type_of(const tachy_value_record *record) {
  return (uint32_t)(record->control >> 32) & 15u;
}

static inline uint64_t tachy_value_size(const tachy_value_record *record) {
  const uint64_t text = tachy_value_type_of(record) == TACHY_VALUE_TEXT ? (record->bits + 15u) & ~UINT64_C(15) : 0;
  return text + (record->control < TACHY_CONTROL_VALUE ? sizeof(tachy_async_value_record) : sizeof(tachy_value_record));
}

/* Ticks and UTC at one moment. */
typedef struct tachy_clock_pair {
  uint64_t ticks;
  int64_t utc;
} tachy_clock_pair;

typedef struct tachy_clock_line {
  tachy_clock_pair from;
  uint64_t ticks; /* so many, from there on, lie on it */
  double rate;    /* UTC nanoseconds per tick */
} tachy_clock_line;

/* How a block's ticks are dated: docs/format.md, "Ticks to UTC". */
typedef struct tachy_block_clock {
  tachy_clock_line lines[2];       /* the newest two: where the clock was not bent, from the block's start on, and from
                                      the start of the block before on */
  double nominal;                  /* nanoseconds per tick */
  const tachy_clock_pair *earlier; /* where the lines before these begin, the newest first */
  uint64_t earlier_count;
} tachy_block_clock;

/* The line through two points; the nominal one through the first where they do not ascend. */
static inline tachy_clock_line tachy_clock_through(tachy_clock_pair from, tachy_clock_pair to, double nominal) {
  const int64_t ticks = (int64_t)(to.ticks - from.ticks);
  tachy_clock_line line = {from, ticks > 0 ? (uint64_t)ticks : 0, nominal};
  if (ticks > 0 && to.utc > from.utc) line.rate = (double)((uint64_t)to.utc - (uint64_t)from.utc) / (double)ticks;
  return line;
}

/* points: where the lines begin, the newest first, at least one. They must outlive the clock. */
static inline tachy_block_clock tachy_clock_from(tachy_clock_pair end, const tachy_clock_pair *points, uint64_t count,
                                                 uint64_t frequency) {
  tachy_block_clock clock;
  clock.nominal = frequency ? 1e9 / (double)frequency : 1.0;
  clock.lines[0] = tachy_clock_through(points[0], end, clock.nominal);
  clock.lines[0].ticks = UINT64_C(1) << 63; /* and all that come */
  clock.lines[1] = count > 1 ? tachy_clock_through(points[1], points[0], clock.nominal) : clock.lines[0];
  clock.earlier = count > 2 ? points + 2 : points;
  clock.earlier_count = count > 2 ? count - 2 : 0;
  return clock;
}

/* What a header alone says of it: a block's body may know more points. The clock has no earlier lines. */
static inline tachy_block_clock tachy_clock_of(const tachy_block_header *h) {
  const tachy_clock_pair points[2] = {{h->ticks0, h->utc0}, {h->before_ticks, h->before_utc}};
  const tachy_clock_pair end = {h->ticks1, h->utc1};
  const int follows = (int64_t)(h->ticks0 - h->before_ticks) > 0; /* else there is no block before */
  tachy_block_clock clock = tachy_clock_from(end, points, follows ? 2 : 1, h->frequency);
  clock.earlier = NULL;
  return clock;
}

/* The conversion saturates instead of overflowing: blocks come from outside. */
static inline int64_t tachy_clock_on_line(const tachy_clock_line *line, uint64_t ticks) {
  const double ns = (double)(int64_t)(ticks - line->from.ticks) * line->rate;
  if (!(ns > -4.6e18 && ns < 4.6e18)) return line->from.utc;
  return (int64_t)((uint64_t)line->from.utc + (uint64_t)(int64_t)ns);
}

/* The line for what is older than the newest two. */
static inline tachy_clock_line tachy_clock_earlier(const tachy_block_clock *clock, uint64_t ticks) {
  uint64_t low = 0; /* the first that is not later; the oldest, if all are */
  for (uint64_t high = clock->earlier_count - 1; low < high;) {
    const uint64_t middle = low + (high - low) / 2;
    if ((int64_t)(ticks - clock->earlier[middle].ticks) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const tachy_clock_pair to = low ? clock->earlier[low - 1] : clock->lines[1].from;
  return tachy_clock_through(clock->earlier[low], to, clock->nominal);
}

static inline tachy_clock_line tachy_clock_line_at(const tachy_block_clock *clock, uint64_t ticks) {
  if ((int64_t)(ticks - clock->lines[0].from.ticks) >= 0) return clock->lines[0];
  if (!clock->earlier_count || (int64_t)(ticks - clock->lines[1].from.ticks) >= 0) return clock->lines[1];
  return tachy_clock_earlier(clock, ticks);
}

static inline int64_t tachy_ticks_to_utc(const tachy_block_clock *clock, uint64_t ticks) {
  const tachy_clock_line line = tachy_clock_line_at(clock, ticks);
  return tachy_clock_on_line(&line, ticks);
}

static inline uint64_t tachy_mix64(uint64_t x) {
  x ^= x >> 30;
  x *= UINT64_C(0xBF58476D1CE4E5B9);
  x ^= x >> 27;
  x *= UINT64_C(0x94D049BB133111EB);
  return x ^ (x >> 31);
}

#ifdef __cplusplus
}
#endif
#endif
