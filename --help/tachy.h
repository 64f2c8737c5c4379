/* tachy: logs, metrics and spans at full rate, for at most 20 ns an event.
 *
 *   tachy_config config = {.sdk = "mine 1.0"};          // zero means default, everywhere
 *   tachy_start(&config);
 *   TACHY_DEFINE_SPAN(tick, "game", "Tick");            // a static description, registered on first use
 *   tachy_scope scope = tachy_span_begin(&tick);
 *   tachy_span_end(scope);
 *   tachy_stop(1000);
 *
 * Every thread writes to chunks of its own; a collector thread makes blocks of them and batches of blocks; a *sender*,
 * written with whatever the host has for HTTP, takes batches and says what became of them (see "Sending"). This header
 * and hot.h (the inline half, included at the end) compile as C11 and C++17 and depend on nothing.
 *
 * Threads: every function may be called from any thread at any time unless its comment says otherwise. Recording calls
 * return nothing and cannot fail upward: what is lost is counted in tachy_stats. Before tachy_start and after
 * tachy_stop they do nothing.
 *
 * Text that is too long for its field is cut and ends in "… [of N bytes]", N being what it had: messages and text
 * arguments of logs 32 KiB; names, targets, files, units, keys and values of properties 64 KiB; thread names 63 bytes;
 * exe and sdk of a process 1023 and 127, keys and values of its properties 255 and 1023.
 *
 * Signal handlers may record, find sites and make property sets, and nothing else of all this. What a handler tries
 * while its thread is inside a record of the same kind or in a slow path of these functions is dropped and counted; the
 * thread itself loses nothing. A handler must return (no siglongjmp), and end the spans that it begins.
 *
 * Caveats: text in a site must live as long as the site's module. After fork() the child does not record until it calls
 * tachy_start. While a thread is inside fork(), what runs on it (signal handlers, fork handlers of other libraries)
 * records nothing, and every function that would wait for a lock returns at once as if nothing ran.
 */
#ifndef TACHY_TACHY_H
#define TACHY_TACHY_H

#include <stddef.h>
#include <stdint.h>

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
#define TACHY_BLOCK_MAGIC 0x4B4C4254u    /* "TBLK" */
#define TACHY_BATCH_MAGIC 0x54414254u    /* "TBAT" */
#define TACHY_SEGMENT_MAGIC 0x47455354u  /* "TSEG" */
#define TACHY_FRAGMENT_MAGIC 0x47415246u /* "FRAG" */

#define TACHY_DEPTH_MAX 1024u /* entries of a shadow stack; depths are 0 .. 1023 */
#define TACHY_IMAGE_TARGET "tachy.image"
#define TACHY_IMAGE_MAX (UINT64_C(16) << 20) /* bytes */
#define TACHY_SITE_MAX 0x3FFFFFu             /* site numbers are 1 .. 2^22 - 1 */
#define TACHY_DEPTH_SHIFT 22u                /* in a span record's last word */
#define TACHY_LOG_ARGS_MAX 8u
#define TACHY_CLOCK_EARLIER_MAX 64u /* starts of earlier blocks in a block */

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
  uint8_t zeros[32];
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
  double rate; /* UTC nanoseconds per tick */
} tachy_clock_line;

/* How a block's ticks are dated: docs/format.md, "Ticks to UTC". */
typedef struct tachy_block_clock {
  tachy_clock_line lines[2];       /* from the block's start on; from the start of the block before on */
  double nominal;                  /* nanoseconds per tick */
  const tachy_clock_pair *earlier; /* starts of blocks before that, the newest first */
  uint64_t earlier_count;
} tachy_block_clock;

/* The line through two points; the nominal one through the first where they do not ascend. */
static inline tachy_clock_line tachy_clock_through(tachy_clock_pair from, tachy_clock_pair to, double nominal) {
  tachy_clock_line line = {from, nominal};
  const int64_t ticks = (int64_t)(to.ticks - from.ticks);
  if (ticks > 0 && to.utc > from.utc) line.rate = (double)((uint64_t)to.utc - (uint64_t)from.utc) / (double)ticks;
  return line;
}

/* earlier: of the block's body, or none. */
static inline tachy_block_clock tachy_clock_of(const tachy_block_header *h, const tachy_clock_pair *earlier,
                                               uint64_t earlier_count) {
  const tachy_clock_pair before = {h->before_ticks, h->before_utc};
  const tachy_clock_pair start = {h->ticks0, h->utc0};
  const tachy_clock_pair end = {h->ticks1, h->utc1};
  tachy_block_clock clock;
  clock.nominal = h->frequency ? 1e9 / (double)h->frequency : 1.0;
  clock.earlier = earlier;
  clock.earlier_count = earlier_count;
  clock.lines[0] = tachy_clock_through(start, end, clock.nominal);
  clock.lines[1] = clock.lines[0];
  if ((int64_t)(start.ticks - before.ticks) > 0) {
    clock.lines[1] = tachy_clock_through(before, start, clock.nominal);
  } else {
    clock.earlier_count = 0; /* there is no block before */
  }
  return clock;
}

/* The conversion saturates instead of overflowing: blocks come from outside. */
static inline int64_t tachy_clock_on_line(const tachy_clock_line *line, uint64_t ticks) {
  const double ns = (double)(int64_t)(ticks - line->from.ticks) * line->rate;
  if (!(ns > -4.6e18 && ns < 4.6e18)) return line->from.utc;
  return (int64_t)((uint64_t)line->from.utc + (uint64_t)(int64_t)ns);
}

/* Dates what is older than the start of the block before. */
static inline int64_t tachy_clock_earlier(const tachy_block_clock *clock, uint64_t ticks) {
  uint64_t i = 0;
  while (i + 1 < clock->earlier_count && (int64_t)(ticks - clock->earlier[i].ticks) < 0) i++;
  const tachy_clock_pair to = i ? clock->earlier[i - 1] : clock->lines[1].from;
  const tachy_clock_line line = tachy_clock_through(clock->earlier[i], to, clock->nominal);
  return tachy_clock_on_line(&line, ticks);
}

static inline int64_t tachy_ticks_to_utc(const tachy_block_clock *clock, uint64_t ticks) {
  const unsigned early = (int64_t)(ticks - clock->lines[0].from.ticks) < 0;
  const tachy_clock_line *const line = &clock->lines[early];
  if (early && clock->earlier_count && (int64_t)(ticks - line->from.ticks) < 0) {
    return tachy_clock_earlier(clock, ticks);
  }
  return tachy_clock_on_line(line, ticks);
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
/* What functions of the recorder and of the reader answer. */
#ifndef TACHY_STATUS_H
#define TACHY_STATUS_H

typedef enum tachy_status {
  TACHY_OK = 0,
  TACHY_ERROR_ARGUMENT = 1,
  TACHY_ERROR_MEMORY = 2,
  TACHY_ERROR_STATE = 3,  /* already started, or not started */
  TACHY_ERROR_SYSTEM = 4, /* the operating system refused */
  TACHY_ERROR_FORMAT = 5, /* bytes that are not what docs/format.md says */
  TACHY_JOINED = 6        /* no error: tachy_start found a session of another part of the program, and joined it */
} tachy_status;

#endif

#define TACHY_VERSION "0.1.0"

#if defined(TACHY_STATIC) && defined(__GNUC__) && !defined(_WIN32)
/* The recorder's copy in this module: other modules have theirs, and the dynamic linker must not mix them. */
#define TACHY_EXPORT __attribute__((visibility("hidden"))) extern
#elif defined(TACHY_STATIC)
#define TACHY_EXPORT extern
#elif defined(_WIN32)
#if defined(TACHY_BUILD)
#define TACHY_EXPORT __declspec(dllexport) extern
#else
#define TACHY_EXPORT __declspec(dllimport) extern
#endif
#else
#define TACHY_EXPORT __attribute__((visibility("default"))) extern
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Life ----------------------------------------------------------------------------------------------------------- */

typedef struct tachy_property {
  const char *key;
  const char *value;
} tachy_property;

/* What becomes of spans. Logs and metrics always travel. */
typedef enum tachy_mode {
  TACHY_MODE_DEFAULT = 0,
  TACHY_MODE_ALL = 1,   /* the default */
  TACHY_MODE_FLIGHT = 2 /* flight recorder: they stay in memory, and only those around a trigger travel */
} tachy_mode;

/* Everything is copied by tachy_start; a zero takes the default. */
typedef struct tachy_config {
  const char *exe;                  /* default: path of the running program */
  const char *sdk;                  /* who links us: "cpp 0.1.0"; default "c " TACHY_VERSION */
  const char *parent_process_id;    /* UUID text; default: the environment's TACHY_PARENT_PROCESS_ID, or none */
  const tachy_property *properties; /* of the process */
  size_t property_count;
  tachy_level level;    /* least important level that logs and spans record; default TACHY_LEVEL_TRACE: all */
  uint64_t pool_bytes;  /* memory of all events that have been recorded and are in no batch yet, in chunks of 64 KiB;
                           beyond it events are dropped and counted; 64 KiB to 16 GiB; default 64 MiB */
  uint32_t flush_ms;    /* the longest that an event waits for its block; default 10000, and 1000 in the session's first
                           minute, or where what waits would die with the process. While somebody looks at the
                           process, which the server says, 1000 at most. Logs of level warning and above go at once,
                           and those with them that follow within 250 ms */
  uint32_t block_bytes; /* a block with so many bytes of records (16 a span, 24 a metric, 24 and its arguments a log) is
                           cut before that, if it is not 250 ms since the last one; default 1048576: some 65,000 spans,
                           256 KiB of columns */
  uint64_t outbox_bytes; /* memory of what waits for the sender; beyond it batches wait in their files alone, and of
                            those without a file the oldest spans are dropped and counted; default 64 MiB */
  const char *session_folder; /* where the session file and unsent batches lie; default: TACHY_SESSION_FOLDER of the
                                 environment, then the user's own memory-backed storage (/dev/shm/tachy-UID) where the
                                 system has one, else the folder for temporary files; "-": nowhere, what is not sent
                                 dies with the process. */
  const char *destination; /* names the server to which the sender sends, in any words: a program sends what others of
                              the same destination have left behind; default "". */
  uint64_t spool_bytes;    /* the most that the files of unsent batches in the session folder may take, of all
                              processes and destinations together, and half of what is free there at the start;
                              beyond it a sixteenth is cleared: the oldest spans are dropped and counted, then
                              metrics, logs last; what processes that are gone have left goes first in each. Between
                              processes that run each may keep its share; default 256 MiB */
  uint32_t spool_seconds;  /* the age at which unsent batches there are dropped and counted; default 7 days */
  tachy_mode mode;
  /* Flight recorder. A trigger at a moment T is tachy_mark, a frame over its budget, a log of level error or fatal, or
   * the server's word. It ships the spans, sync and async, that overlap [T - before, T + after], and of each thread at
   * most what two chunks hold beyond it. Three quarters of pool_bytes may hold what waits for a trigger, 16 bytes a
   * span; beyond that the oldest is given up before its time. */
  uint32_t flight_before_ms;     /* default 10000 */
  uint32_t flight_after_ms;      /* default 2000 */
  uint32_t frame_budget_us;      /* a frame mark that is longer is a trigger; default: none is */
  uint32_t flight_ignore_errors; /* 1: logs are no triggers */
} tachy_config;

/* Starts a session: a new process id, the collector thread. TACHY_ERROR_ARGUMENT for pool_bytes, a level, a property
 * without a key or a parent_process_id that cannot be, and beyond 256 properties.
 *
 * A process has one session, whichever of its modules linked the recorder, and however: while it runs, another start
 * joins it as it is, and answers TACHY_JOINED. It ends with as many stops as there were starts. TACHY_ERROR_STATE: it
 * is just ending, or the recorder in this module is of another version than the one that records for the process, which
 * is said once on stderr: then nothing of this module is recorded. */
TACHY_EXPORT tachy_status tachy_start(const tachy_config *config);

/* Takes one start back. Where others are left it returns at once. The last one stops recording, cuts the last blocks
 * and waits at most timeout_ms until the sender is done with everything. Where all that is left lies in files of the
 * session folder, it waits only as long as something moves (tachy_batch_moves), and 0.3 s more: whoever wants it at the
 * server, whatever that takes, calls tachy_flush first. What is left then stays in the session folder for the next
 * start; what has no file is dropped and counted; a batch that is still taken counts once it is done.
 *
 * Returns at once when another thread is stopping already, and when nothing runs: then it gives back what tachy_recover
 * has claimed and nobody has sent. */
TACHY_EXPORT void tachy_stop(uint32_t timeout_ms);

/* Cuts blocks of everything that was recorded before the call and waits at most timeout_ms until the sender is done
 * with them. Returns 1 if it is, 0 on timeout or when stopped. */
TACHY_EXPORT int tachy_flush(uint32_t timeout_ms);

/* tachy_flush and tachy_stop in halves, for a host that has something else to do now and then while it waits (a
 * language whose signal handlers run between calls).
 *
 * tachy_flush_begin cuts the blocks, in at most timeout_ms, and returns what tachy_flush_wait is to wait for; 0: no
 * session records. tachy_flush_wait may be called again and again, and returns what tachy_flush does. With
 * TACHY_FLUSH_ALL it waits until the sender is done with everything; once recording has been stopped, no longer than
 * tachy_stop would. tachy_stop_recording is what tachy_stop does before it waits; tachy_stop must follow. */
#define TACHY_FLUSH_ALL UINT64_MAX
TACHY_EXPORT uint64_t tachy_flush_begin(uint32_t timeout_ms);
TACHY_EXPORT int tachy_flush_wait(uint64_t flush, uint32_t timeout_ms);
TACHY_EXPORT void tachy_stop_recording(void);

/* Of the running session, or of the last one. What is recorded is counted when the collector reads it, at the latest
 * when it goes into a block; asking makes it look, once a second at most. */
typedef struct tachy_stats {
  uint8_t process_id[16];
  uint64_t recorded[4]; /* by tachy_class: every event that a thread tried to record, at a site that has a number */
  uint64_t dropped[4]; /* of these: lost because the pool was empty, tried by a signal handler whose thread was inside a
                          record, lost in an overfull outbox or spool, or refused by the server */
  uint64_t sent[4];    /* of these: in batches that the sender reported as sent */
  uint64_t kept[4];    /* of these: left in the session folder when the session stopped */
  uint64_t not_retained; /* of these: spans that no trigger wanted. Once the session has stopped, what was recorded was
                            sent, dropped or not retained */
  uint64_t flight_overwritten; /* of these: before their time, since the pool was short */
  uint64_t batches;
  uint64_t blocks;
  uint64_t raw_bytes;         /* of block bodies, uncompressed */
  uint64_t wire_bytes;        /* of batches, as sent */
  uint64_t collector_ns;      /* CPU time of the collector thread */
  uint64_t outbox_bytes;      /* memory of what waits now */
  uint64_t spool_bytes;       /* storage of the files of what waits now */
  uint64_t survives;          /* 1: what is recorded now outlives the process, in a session file with room */
  uint64_t unprotected;       /* of batches: got no file, and would have died with the process */
  uint64_t recovered_batches; /* of processes that died before: sent by this one */
  uint64_t recovered_lost;    /* the same: refused, unreadable, or cut down because of spool_bytes or spool_seconds */
  uint64_t left_dropped[4];   /* events of processes that are gone, by tachy_class, dropped from the session folder by
                                 this one because of spool_bytes or spool_seconds */
  uint64_t threads;           /* that have recorded */
  uint64_t sites;
  uint64_t clock_backwards; /* ticks that ran backwards within a thread and were raised */
  uint64_t too_deep;        /* spans deeper than TACHY_DEPTH_MAX (part of dropped) */
  uint64_t mismatched;      /* scopes ended out of order, repaired */
  uint64_t async_untracked; /* async spans that were open with 65536 others, so that later blocks do not list them */
  uint64_t values_dropped;  /* of values on spans: there was no room, or no more on the span; or its end was lost */
  uint64_t refused;         /* times that a site or a property set got no number, or a category no entry */
  uint64_t frequency;       /* ticks per second */
  const char *clock;        /* "tsc", "cntvct", "os" */
  uint64_t control_version; /* the newest of tachy_control's texts that was applied; 0: none */
  uint64_t control_refused; /* texts that could not be read */
} tachy_stats;

TACHY_EXPORT void tachy_get_stats(tachy_stats *stats);

/* 1 while the calling thread is inside fork(): what a function made or found out then is not to be kept. */
TACHY_EXPORT int tachy_forking(void);

/* A trigger of the flight recorder, here and now: the spans around it travel. Records a log, whatever the mode (target
 * "tachy", level info, "flight recorder: REASON", at most 512 bytes). Takes a lock. */
TACHY_EXPORT void tachy_mark(const char *reason);

/* Adds or replaces a property of the process; travels with the next batch. Ignored beyond 256. */
TACHY_EXPORT void tachy_set_process_property(const char *key, const char *value);

typedef enum tachy_crash_kind {
  TACHY_CRASH_UNKNOWN = 0,
  TACHY_CRASH_FAULT = 1,
  TACHY_CRASH_ASSERT = 2,
  TACHY_CRASH_MEMORY = 3,
  TACHY_CRASH_GPU = 4,
  TACHY_CRASH_HANG = 5
} tachy_crash_kind;

/* What it is when the process is killed from here on: who sends what it has left gives the process the property
 * "crash-kind" ("fault", "assert", "memory", "gpu", "hang"); UNKNOWN takes that back. One store into the session file,
 * for crash handlers too. */
TACHY_EXPORT void tachy_set_crash_kind(tachy_crash_kind kind);

/* Names the calling thread, in traces and in SQL. Default: the operating system's name for it, read when
 * it first records, at every block and at its end (on macOS not in between), so that the last one shows. */
TACHY_EXPORT void tachy_set_thread_name(const char *name);

/* Sites less important than this are switched off (levels are in the site), until the session ends. */
TACHY_EXPORT void tachy_set_level(tachy_level level);

/* Sites whose target is the category or lies under it ("net" covers "net" and "net.http"; the longest wins) have this
 * level instead. TACHY_LEVEL_NONE switches off everything of it, also spans and metrics, which have no level. Until it
 * is unset, whether a session runs or not. At most 64 categories of 128 bytes: what exceeds it changes nothing and is
 * counted (tachy_stats.refused). Both walk over all sites: not for every frame. */
TACHY_EXPORT void tachy_set_category(const char *category, tachy_level level);
TACHY_EXPORT void tachy_unset_category(const char *category);

/* Switches all sites of a class off (0) and on again, whatever levels and categories say and whether a session runs or
 * not: logs, metrics with frame marks, or spans with async spans and values. Walks over all sites. */
TACHY_EXPORT void tachy_set_class(tachy_class cls, int on);

/* Another mode than the configured one, until the session ends. */
TACHY_EXPORT void tachy_set_mode(tachy_mode mode);

/* What the server says to this session, for a time: see "Control" in docs/http.md. A sender calls it with the value
 * of the header Tachy-Control of every answer, before tachy_batch_done. The program's own level and categories hold
 * again afterwards. */
TACHY_EXPORT void tachy_control(const char *text);

/* What tachy_recover did. */
typedef struct tachy_recovery {
  uint64_t sessions;   /* of processes that are gone, claimed by this call */
  uint64_t crashed;    /* of these: killed while they recorded */
  uint64_t batches;    /* that wait for the sender because of it */
  uint64_t events[4];  /* in these: those that were still in chunks, by tachy_class */
  uint64_t busy;       /* sessions that run, or that another process is just recovering */
  uint64_t unreadable; /* damaged, or of another version of the recorder: left as they are */
} tachy_recovery;

/* Claims what processes that are gone have left in a folder: what was in their chunks becomes a batch, and this
 * batch and all that they had not sent are handed out by tachy_batch_take like our own, whether a session runs or not;
 * their files go with the last of them. NULL: the running session's folder, and of that only sessions of its
 * destination (TACHY_ERROR_STATE: no session has a file). Reads and writes files: call it from the sender's thread. It
 * may be called again, by several processes at once, and be killed. TACHY_ERROR_SYSTEM: there is no such folder. found
 * may be NULL. */
TACHY_EXPORT tachy_status tachy_recover(const char *folder, tachy_recovery *found);

/* Sites ---------------------------------------------------------------------------------------------------------- */

/* The static description of an instrumented line of code. The first word is the whole of the on/off test. */
typedef struct tachy_site {
  int32_t id; /* recorder's: 0 until first use, > 0 on, < 0 off; relaxed */
  uint32_t line;
  uint8_t kind;  /* tachy_site_kind */
  uint8_t level; /* tachy_level; NONE: never filtered */
  uint16_t zero;
  const char *name;   /* of the span or metric; log: printf format, or "" when the message is the only argument */
  const char *target; /* category, module: "game.ai" */
  const char *file;
  const char *unit; /* metrics: "ms", "bytes", … */
} tachy_site;

#if defined(__GNUC__)
#define TACHY_SITE_ static __attribute__((aligned(8))) tachy_site /* gcc's own choice is 32, and makes it 64 bytes */
#else
#define TACHY_SITE_ static tachy_site
#endif
#define TACHY_DEFINE_SITE_(variable, kind, level, target, name, unit) \
  TACHY_SITE_ variable = {0, __LINE__, (kind), (level), 0, ("" name), ("" target), __FILE__, ("" unit)}
#define TACHY_DEFINE_SPAN(variable, target, name) TACHY_DEFINE_SITE_(variable, TACHY_SITE_SPAN, 0, target, name, "")
#define TACHY_DEFINE_ASYNC_SPAN(variable, target, name) \
  TACHY_DEFINE_SITE_(variable, TACHY_SITE_ASYNC, 0, target, name, "")
#define TACHY_DEFINE_VALUE(variable, target, key) TACHY_DEFINE_SITE_(variable, TACHY_SITE_VALUE, 0, target, key, "")
#define TACHY_DEFINE_LOG(variable, target, level, format) \
  TACHY_DEFINE_SITE_(variable, TACHY_SITE_LOG, level, target, format, "")
#define TACHY_DEFINE_INT_METRIC(variable, target, name, unit) \
  TACHY_DEFINE_SITE_(variable, TACHY_SITE_METRIC_INT, 0, target, name, unit)
#define TACHY_DEFINE_FLOAT_METRIC(variable, target, name, unit) \
  TACHY_DEFINE_SITE_(variable, TACHY_SITE_METRIC_F64, 0, target, name, unit)
#define TACHY_DEFINE_FRAME(variable, target, name) \
  TACHY_DEFINE_SITE_(variable, TACHY_SITE_FRAME, 0, target, name, "ticks")

/* A site made at run time (a script's function, a logger's call): text is copied, the site lives until the process
 * ends, and equal descriptions give the same site. NULL text is "". Takes a lock: keep what it returns. NULL when
 * memory or site numbers ran out. */
TACHY_EXPORT tachy_site *tachy_site_intern(tachy_site_kind kind, tachy_level level, const char *target,
                                           const char *name, const char *file, uint32_t line, const char *unit);

/* A set of properties for logs and metrics, by value: equal sets give the same number. Takes a lock: keep the number.
 * At most 65535 sets, of 32 pairs; 0 (no properties) when that is exceeded, and counted (tachy_stats.refused). */
TACHY_EXPORT uint32_t tachy_property_set(const tachy_property *pairs, size_t count);

/* Recording: see hot.h for the inline functions ------------------------------------------------------------------ */

/* What tachy_span_begin returns, for tachy_span_end, which takes nothing else: a scope is no number to reckon with. 0,
 * or more than INT32_MAX: the span is not recorded. */
typedef uintptr_t tachy_scope;

/* An async span: may begin on one thread and end on another. id 0: not recorded. */
typedef struct tachy_async {
  uint64_t id;
  uint64_t parent;
  tachy_site *site;
  uint32_t depth;
  uint32_t values; /* given to it through this struct */
} tachy_async;

/* parent: NULL for a root. */
TACHY_EXPORT tachy_async tachy_async_begin(tachy_site *site, const tachy_async *parent);
TACHY_EXPORT void tachy_async_end(const tachy_async *span);

/* Values on spans: what a span was about, given before it ends.
 *
 *   TACHY_DEFINE_VALUE(triangles, "render", "triangles");
 *   tachy_span_value_int(tachy_span_innermost(), &triangles, count);
 *
 * The scope is that of any span of the calling thread that is open (another one takes no value). Its value of a key is
 * the one that it was given last; at most TACHY_SPAN_VALUES_MAX keys, what exceeds them is dropped and counted
 * (tachy_stats.values_dropped). hot.h has the numbers: tachy_span_value_int, _unsigned, _float, _bool, tachy_span_flow.
 * A flow leads through the spans that have its number, which the program chooses (a job's address, a frame's number):
 * arrows in a trace, `flow` in SQL. A span may be on several.
 *
 * A text is copied; longer than 255 bytes it is cut there and ends in "… [of N bytes]". */
TACHY_EXPORT void tachy_span_value_text(tachy_scope scope, tachy_site *site, const char *text, size_t size);

/* The same for an async span that has not ended, on any thread; threads that share the struct take turns. hot.h has
 * tachy_async_value_int, _unsigned, _float, _bool, tachy_async_flow. */
TACHY_EXPORT void tachy_async_value_text(tachy_async *span, tachy_site *site, const char *text, size_t size);

/* A log with a ready message: for sites with format "". Longer than 32 KiB is cut there and ends in "… [of N bytes]",
 * as do texts of tachy_log_args. */
TACHY_EXPORT void tachy_log_text(tachy_site *site, uint32_t set, const char *text, size_t size);

/* A ready message that was made at another time, or on another thread, than it is recorded: for adapters of loggers
 * that hand on what they have collected. thread: the name of the one that it was made on; the log goes to a stream of
 * that name, beside the thread's own (beyond 31 names: to one that all others share). ticks: when; must not lie before
 * what was recorded under the name already (it is raised to that), nor after now (it is lowered to that). Takes a
 * lock. */
TACHY_EXPORT void tachy_log_text_at(tachy_site *site, uint32_t set, uint64_t ticks, const char *thread,
                                    const char *text, size_t size);

/* An image, of at most TACHY_IMAGE_MAX bytes (larger ones are dropped), as it is to be shown: format is its media type,
 * "image/jpeg"; the name is cut at 255 bytes. It travels as logs of the target "tachy.image", a third larger than it is
 * (compressed about as large), within the same bounds as they: tachy_set_category("tachy.image", TACHY_LEVEL_NONE)
 * switches images off. In SQL it is a row of `images`; where a part of it is lost, there is none. Takes a lock. */
TACHY_EXPORT void tachy_image(const char *name, const char *format, const void *bytes, size_t size);

/* The ticks at a moment of the system's clock, in nanoseconds since 1970: at most now, and not before the session. */
TACHY_EXPORT uint64_t tachy_ticks_of(int64_t utc_ns);

/* A log with arguments for the site's format. types: tachy_arg_type, 4 bits each; values: one 8-byte word each (a
 * double's bits; a text's address, its size being in sizes[i]). The text is copied, the formatting happens when
 * somebody reads. */
TACHY_EXPORT void tachy_log_args(tachy_site *site, uint32_t set, uint32_t types, const uint64_t *values,
                                 const uint32_t *sizes);

/* The time of an event that was taken elsewhere, in ticks: for adapters of other loggers and profilers. Must not lie
 * before an event that the thread has already recorded in the class (it is raised to that), nor after now (it is
 * lowered to that). */
TACHY_EXPORT void tachy_span_complete(tachy_site *site, uint64_t begin_ticks, uint64_t end_ticks);
TACHY_EXPORT void tachy_metric_at(tachy_site *site, uint32_t set, uint64_t ticks, uint64_t value_bits);

/* Sending -------------------------------------------------------------------------------------------------------- */

/* A batch belongs to who took it until tachy_batch_done. One thread at a time. While the server is away, in its pauses,
 * a sender takes what tachy_batch_take_raw gives, compresses it and hands it back with TACHY_RETRY, so that more fits
 * into the session folder. */
typedef struct tachy_batch tachy_batch;

/* Where several parts of a program have joined one session and bring a sender each, one of them sends, and the next one
 * when it has ended. tachy_sender_begin waits at most timeout_ms for its turn, and returns what tachy_sender_end takes;
 * 0: another sends still. tachy_sender_end may be called on any thread, also while the sender waits: that ends its
 * wait, here or in tachy_batch_take. Ignored beyond that: 0, and what has ended already. A program with one sender
 * needs neither. */
TACHY_EXPORT uint64_t tachy_sender_begin(uint32_t timeout_ms);
TACHY_EXPORT void tachy_sender_end(uint64_t turn);

/* Waits at most timeout_ms for a batch. NULL: none yet. *ended is set to 1 once the session has stopped and nothing
 * will come any more (ended may be NULL). */
TACHY_EXPORT tachy_batch *tachy_batch_take(uint32_t timeout_ms, int *ended);

/* The server is there, or has taken some more of the batch that is out: a tachy_stop that waits for it goes on waiting.
 * Once a try has ended with TACHY_RETRY, what moved in it does not count. */
TACHY_EXPORT void tachy_batch_moves(void);

/* A batch that waits and that nobody has taken yet, or NULL, at once. */
TACHY_EXPORT tachy_batch *tachy_batch_take_raw(void);

TACHY_EXPORT uint32_t tachy_batch_block_count(const tachy_batch *batch);
/* The body of a block, uncompressed until it was replaced. */
TACHY_EXPORT const void *tachy_batch_body(const tachy_batch *batch, uint32_t block, uint64_t *size);
/* What the body is compressed with: batches come back from the session folder in the form in which they went. */
TACHY_EXPORT tachy_codec tachy_batch_codec(const tachy_batch *batch, uint32_t block);
/* Replaces it by its compressed form (copied). Ignored when that is not smaller, or the batch has travelled already. */
TACHY_EXPORT tachy_status tachy_batch_replace(tachy_batch *batch, uint32_t block, tachy_codec codec, const void *bytes,
                                              uint64_t size);
/* The batch as it travels, valid until tachy_batch_done. NULL when memory ran out. The same bytes at every call, as
 * long as the id is the same. */
TACHY_EXPORT const void *tachy_batch_bytes(tachy_batch *batch, uint64_t *size);
/* 16 bytes. */
TACHY_EXPORT const uint8_t *tachy_batch_id(const tachy_batch *batch);

typedef enum tachy_outcome {
  TACHY_SENT = 0,   /* the server has it */
  TACHY_RETRY = 1,  /* put it back at the head of the outbox: it will be taken again, with the same id (another one if
                       a bound has taken blocks from it meanwhile) */
  TACHY_REFUSED = 2 /* nobody will ever take it: drop and count */
} tachy_outcome;

TACHY_EXPORT void tachy_batch_done(tachy_batch *batch, tachy_outcome outcome);

/* A sender's memory of its failures: zeroed, or with the first two set. Without a lock: its thread's own. */
typedef struct tachy_retry {
  uint32_t first_ms;   /* the pause after a first failure; it doubles with each that follows; default 250 */
  uint32_t longest_ms; /* where that ends; default 30000 */
  uint32_t pause_ms;   /* the recorder's, as what follows */
  uint64_t random;
} tachy_retry;

/* What became of a batch, by the HTTP status of the answer; 0: there was none, for whatever reason. Only the server's
 * word that it has read the batch and calls it bad (400, 409, 411, 413, 415, 422) drops it. Another status is a state
 * of the server or of the way (a token that expired, a proxy set up wrong), and a fault of the sender's own (no memory)
 * is no answer: both are tried again, after *pause_ms: the pause, of which half is random, or what the server asks for
 * if that is longer. retry_after_s: the header Retry-After in seconds, at most 300 count; 0: it has none. */
TACHY_EXPORT tachy_outcome tachy_retry_answer(tachy_retry *retry, uint32_t status, double retry_after_s,
                                              uint32_t *pause_ms);

#ifdef __cplusplus
}
#endif

/* The hot path: what runs in the game's threads, inline. Included by tachy.h.
 *
 * The rule of this file: no lock, no read-modify-write atomic, no allocation, no system call, no string work.
 * Everything rare is a call of a function that ends in an underscore and lives in src/recorder. What to run after a
 * change: make bench-native.
 *
 * A signal handler may record anywhere in here. It runs to its end between two instructions of the thread, so whatever
 * it does is nested. While the thread is inside a record it says so, by the highest byte of its top (spans) or by
 * `busy` (metrics, logs), and a handler's events are dropped and counted. Before that the thread holds nothing but its
 * top, which a handler leaves as it was, or the end of a span, to which the collector raises that of what ended later
 * inside it: where a record goes, and when a span begins, is read after. The last store of a record takes the word
 * back; a handler that comes later finds all of it there. Slow paths say both, for all that they do.
 *
 * A thread that has never recorded points to tachy_no_thread_, which is inside a record for ever: the tests that every
 * event needs anyway (too deep? inside?) also find out that there is no thread yet.
 */
#ifndef TACHY_HOT_H
#define TACHY_HOT_H

#include <string.h>

/* What compilers spell differently: inlining, thread-local variables, loads and stores that threads share, and which
 * clock there is. Included by hot.h. */
#ifndef TACHY_COMPILER_H
#define TACHY_COMPILER_H

#include <stdint.h>

/* What tachy_ticks reads; -DTACHY_CLOCK_OS asks for the operating system's. */
#if !defined(TACHY_CLOCK_OS)
#if defined(__x86_64__) || (defined(_M_X64) && !defined(_M_ARM64EC))
#define TACHY_CLOCK_TSC
#elif defined(__aarch64__) && !defined(_WIN32)
#define TACHY_CLOCK_CNTVCT
#else
#define TACHY_CLOCK_OS
#endif
#endif

#if !defined(_MSC_VER) || defined(__clang__)

#define TACHY_INLINE static inline __attribute__((always_inline, no_instrument_function))
#define TACHY_RARE __attribute__((cold)) /* a call of it is moved out of the way */
/* Lies beside the others of its kind. For what runs at a change of chunks: every page of code that is touched then
 * costs 0.3 us. */
#define TACHY_BESIDE __attribute__((hot))
#define TACHY_LIKELY(x) __builtin_expect(!!(x), 1)
#define TACHY_UNLIKELY(x) __builtin_expect(!!(x), 0)
#if defined(__APPLE__) || defined(_WIN32) || defined(__ANDROID__) /* everything there is loaded at run time */
#define TACHY_THREAD_LOCAL __thread
#elif defined(TACHY_STATIC) && (defined(__PIE__) || !defined(__PIC__))
/* in the program itself: one instruction */
#define TACHY_THREAD_LOCAL __attribute__((tls_model("local-exec"))) __thread
#else
/* initial-exec: two instructions instead of a call; 8 bytes of the static TLS reserve, so dlopen still works */
#define TACHY_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) __thread
#endif
#if defined(TACHY_CLOCK_TSC) && defined(__GCC_ASM_FLAG_OUTPUTS__)
#define TACHY_TWO_HALVES 1
typedef uint32_t __attribute__((may_alias)) tachy_half;
#endif
/* gcc 11 and later: assembler that also has results may jump to a label of C. ThreadSanitizer sees nothing of it. */
#if defined(TACHY_CLOCK_TSC) && defined(__LP64__) && !defined(__clang__) && __GNUC__ >= 11 && \
    !defined(__SANITIZE_THREAD__)
#define TACHY_GOTO __asm__ __volatile__ __inline__ goto
#endif
#define TACHY_PREFETCH(p) __builtin_prefetch(p)
/* What follows is compiled to come after what stands before: enough for who interrupts this thread, and no instruction.
 */
#define TACHY_SIGNAL_FENCE() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define TACHY_LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define TACHY_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define TACHY_LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define TACHY_STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
/* Of 32 bits, sequentially consistent; for slow paths. */
#define TACHY_EXCHANGE(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
/* Of 64 bits, the same; 1: *p was `was` and is `v` now. */
#define TACHY_COMPARE_EXCHANGE(p, was, v) __sync_bool_compare_and_swap((p), (was), (v))

#else /* Microsoft's: /std:c11 or /std:c++17 and later */

#include <intrin.h>

#define TACHY_INLINE static __forceinline
#define TACHY_RARE
#define TACHY_BESIDE
#define TACHY_LIKELY(x) (x)
#define TACHY_UNLIKELY(x) (x)
#define TACHY_THREAD_LOCAL __declspec(thread)
#define TACHY_PREFETCH(p) (void)(p)
#define TACHY_SIGNAL_FENCE() _ReadWriteBarrier()
/* What volatile orders is an option of the compiler (/volatile): so the order is made here. x64 needs no instruction
 * for it. */
#if defined(_M_ARM64) || defined(_M_ARM64EC)
#define TACHY_ORDER_() __dmb(_ARM64_BARRIER_ISH)
#else
#define TACHY_ORDER_() _ReadWriteBarrier()
#endif
#define TACHY_EXCHANGE(p, v) ((uint32_t)_InterlockedExchange((volatile long *)(p), (long)(v)))
#define TACHY_COMPARE_EXCHANGE(p, was, v) \
  (_InterlockedCompareExchange64((volatile __int64 *)(p), (__int64)(v), (__int64)(was)) == (__int64)(was))

#if defined(__cplusplus)
template <class T>
__forceinline T tachy_load_(const volatile T *p) {
  return *p;
}
template <class T>
__forceinline T tachy_acquire_(const volatile T *p) {
  const T value = *p;
  TACHY_ORDER_();
  return value;
}
template <class T, class V>
__forceinline void tachy_store_(volatile T *p, V value) {
  *p = (T)value;
}
template <class T, class V>
__forceinline void tachy_release_(volatile T *p, V value) {
  TACHY_ORDER_();
  *p = (T)value;
}
#define TACHY_LOAD(p) tachy_load_(p)
#define TACHY_STORE(p, v) tachy_store_((p), (v))
#define TACHY_LOAD_ACQUIRE(p) tachy_acquire_(p)
#define TACHY_STORE_RELEASE(p, v) tachy_release_((p), (v))
#else
#define TACHY_SHARED_(name, type)                                                            \
  TACHY_INLINE type tachy_load_##name(const void *p) { return *(const volatile type *)p; }   \
  TACHY_INLINE type tachy_acquire_##name(const void *p) {                                    \
    const type value = *(const volatile type *)p;                                            \
    TACHY_ORDER_();                                                                          \
    return value;                                                                            \
  }                                                                                          \
  TACHY_INLINE void tachy_store_##name(void *p, type value) { *(volatile type *)p = value; } \
  TACHY_INLINE void tachy_release_##name(void *p, type value) {                              \
    TACHY_ORDER_();                                                                          \
    *(volatile type *)p = value;                                                             \
  }
typedef void *tachy_pointer_;
TACHY_SHARED_(u8, uint8_t)
TACHY_SHARED_(i32, int32_t)
TACHY_SHARED_(u32, uint32_t)
TACHY_SHARED_(u64, uint64_t)
TACHY_SHARED_(pointer, tachy_pointer_)
/* By the type of p; whatever else it points to is a pointer. */
#define TACHY_BY_TYPE_(p, what) \
  _Generic((p),                    \
      uint8_t *: what##_u8,        \
      const uint8_t *: what##_u8,  \
      int32_t *: what##_i32,       \
      const int32_t *: what##_i32, \
      uint32_t *: what##_u32,      \
      const uint32_t *: what##_u32,\
      uint64_t *: what##_u64,      \
      const uint64_t *: what##_u64,\
      default: what##_pointer)
#define TACHY_LOAD(p) TACHY_BY_TYPE_(p, tachy_load)(p)
#define TACHY_STORE(p, v) TACHY_BY_TYPE_(p, tachy_store)((p), (v))
#define TACHY_LOAD_ACQUIRE(p) TACHY_BY_TYPE_(p, tachy_acquire)(p)
#define TACHY_STORE_RELEASE(p, v) TACHY_BY_TYPE_(p, tachy_release)((p), (v))
#endif
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* In a top, beside it or its inverse: the thread is inside a record of spans. The highest byte, which is stored alone.
 */
#define TACHY_INSIDE_ UINT32_C(0xFF000000)

/* Where the thread writes events of one class. Byte n of its stream, while n < limit, lies at origin + n. */
typedef struct tachy_writer {
  uint64_t head;    /* written by the thread (release), read by the collector */
  uint64_t limit;   /* the thread's: the end of the chunk that it fills */
  uintptr_t origin; /* the thread's: so that byte `head` lies where the chunk has room */
} tachy_writer;

typedef struct tachy_thread {
  uint32_t top;  /* scope of the innermost open span, and perhaps TACHY_INSIDE_; written by the thread */
  uint32_t room; /* the largest top that the stack has memory for; at most TACHY_TOP_MAX_ */
  tachy_writer span;
  tachy_writer metric;
  uint64_t frame_ticks; /* of the thread's last frame mark, or 0 */
  /* from here on another cache line: a span touches none but the first, a log none but this one */
  tachy_writer log;
  uint8_t busy; /* 1: it is inside a record of a metric or a log */
  uint8_t zeros[3];
  uint32_t number;
  uint8_t more_zeros[32];
  tachy_open_span stack[TACHY_DEPTH_MAX];
} tachy_thread;

/* A scope is where in its thread the span's entry lies, in bytes: an x86 address needs nothing else. The two that no
 * span lies at: without one, and of a thread that is not known. */
#define TACHY_TOP_NONE_ ((uint32_t)(offsetof(tachy_thread, stack) - sizeof(tachy_open_span)))
#define TACHY_TOP_UNKNOWN_ UINT32_C(0x80000000)
#define TACHY_TOP_MAX_ TACHY_TOP_OF_(TACHY_DEPTH_MAX)
/* With so many open spans; and how many there are. */
#define TACHY_TOP_OF_(depth) (TACHY_TOP_NONE_ + (uint32_t)(depth) * (uint32_t)sizeof(tachy_open_span))
#define TACHY_DEPTH_AT_(top) (((uint32_t)(top)-TACHY_TOP_NONE_) / (uint32_t)sizeof(tachy_open_span))

TACHY_STATIC_ASSERT(offsetof(tachy_thread, log) == 64 && offsetof(tachy_thread, stack) == 128,
                    "two cache lines before the stack");
TACHY_STATIC_ASSERT(sizeof(tachy_span_record) == 16 && sizeof(tachy_long_record) % 16 == 0 &&
                        sizeof(tachy_async_record) % 16 == 0 && sizeof(tachy_value_record) == 16,
                    "what is left of a chunk of spans is nothing or room for a span");

TACHY_EXPORT const tachy_thread tachy_no_thread_;
#if defined(_WIN32)
/* A DLL cannot export a thread-local variable. So the pointer lies in a slot of TlsAlloc; `offset` is that of the slot
 * in the thread's own block (TEB), or 0 when the slot is none of the 64 there, or the recorder has not started yet. */
TACHY_EXPORT uint32_t tachy_thread_offset_;
TACHY_EXPORT tachy_thread *tachy_thread_far_(void);
#else
TACHY_EXPORT TACHY_THREAD_LOCAL tachy_thread *tachy_this_thread_;
#endif

TACHY_EXPORT int32_t tachy_site_register_(tachy_site *site);
TACHY_EXPORT TACHY_RARE uint32_t tachy_span_begin_rare_(tachy_site *site); /* a scope */
TACHY_EXPORT TACHY_RARE uint32_t tachy_span_begin_slow_(int32_t id);
TACHY_EXPORT TACHY_RARE void tachy_span_close_slow_(tachy_thread *thread, uint32_t scope, uint64_t now);
TACHY_EXPORT TACHY_RARE void tachy_span_end_rare_(int32_t scope);
TACHY_EXPORT TACHY_RARE void tachy_span_value_slow_(tachy_scope scope, int32_t id, uint32_t type, uint64_t bits);
TACHY_EXPORT void tachy_async_value_(tachy_async *span, tachy_site *site, uint32_t type, uint64_t bits);
TACHY_EXPORT void tachy_metric_slow_(int32_t id, uint32_t set, uint64_t value);
TACHY_EXPORT void tachy_metric_beyond_(tachy_site *site, uint32_t set, double value);
TACHY_EXPORT void tachy_frame_slow_(int32_t id);
TACHY_EXPORT tachy_thread *tachy_log_begin_slow_(int32_t id, uint32_t set, uint32_t types, uint64_t size);
TACHY_EXPORT TACHY_RARE void tachy_log_urges_(void);
TACHY_EXPORT uint64_t tachy_os_ticks_(void);

/* The calling thread, or tachy_no_thread_. */
TACHY_INLINE tachy_thread *tachy_here_(void) {
#if !defined(_WIN32)
  return tachy_this_thread_;
#elif defined(__x86_64__) || (defined(_M_X64) && !defined(_M_ARM64EC))
  const uint32_t offset = TACHY_LOAD(&tachy_thread_offset_);
  if (TACHY_UNLIKELY(offset == 0)) return tachy_thread_far_();
#if defined(_MSC_VER) && !defined(__clang__)
  tachy_thread *const thread = (tachy_thread *)(uintptr_t)__readgsqword(offset);
#else
  tachy_thread *thread;
  __asm__ volatile("movq %%gs:(%1), %0" : "=r"(thread) : "r"((uint64_t)offset));
#endif
  return TACHY_LIKELY(thread != NULL) ? thread : (tachy_thread *)(uintptr_t)&tachy_no_thread_;
#else
  return tachy_thread_far_();
#endif
}

/* The clock: 9.7 ns for rdtsc on a 2.6 GHz Zen 5 guest, which is nearly the whole price of an event. */
TACHY_INLINE uint64_t tachy_ticks(void) {
#if defined(TACHY_CLOCK_TSC) && defined(_MSC_VER) && !defined(__clang__)
  return __rdtsc();
#elif defined(TACHY_CLOCK_TSC)
  return __builtin_ia32_rdtsc();
#elif defined(TACHY_CLOCK_CNTVCT)
  uint64_t ticks;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return tachy_os_ticks_();
#endif
}

/* The site's number if it is on, else <= 0. Off: one load, one test. */
TACHY_INLINE int32_t tachy_site_on_(tachy_site *site) {
  const int32_t id = TACHY_LOAD(&site->id);
  if (TACHY_UNLIKELY(id <= 0)) return id == 0 ? tachy_site_register_(site) : -1; /* the caller's own test falls away */
  return id;
}

/* Whether an event of this site would be recorded: ask before computing costly arguments. */
TACHY_INLINE int tachy_enabled(tachy_site *site) { return tachy_site_on_(site) > 0; }

/* Spans ---------------------------------------------------------------------------------------------------------- */

/* How deep the span lies, as it stands in records. */
TACHY_INLINE uint32_t tachy_depth_word_(uint32_t scope) {
  return (scope - TACHY_TOP_OF_(1)) << (TACHY_DEPTH_SHIFT - 4);
}

/* Begins a record of spans: the top has TACHY_INSIDE_ too until the end, which stores it anew. */
TACHY_INLINE void tachy_span_enter_(tachy_thread *thread) {
  TACHY_STORE((uint8_t *)&thread->top + 3, 0xFF);
  TACHY_SIGNAL_FENCE();
}

TACHY_INLINE tachy_open_span *tachy_span_entry_(tachy_thread *thread, uint32_t scope) {
  return (tachy_open_span *)(void *)((uint8_t *)thread + scope);
}

/* The span of an entry, and the end of a record of spans: after tachy_span_enter_. */
TACHY_INLINE void tachy_span_open_(tachy_thread *thread, uint32_t scope, int32_t id, uint64_t now) {
  tachy_open_span *const entry = tachy_span_entry_(thread, scope);
  /* release: whoever sees the new entry also sees the record that ended the old one */
  TACHY_STORE_RELEASE(&entry->site, (uint32_t)id);
  TACHY_STORE_RELEASE(&entry->begin, now);
  TACHY_STORE_RELEASE(&thread->top, scope);
}

/* The record of entry's span, after tachy_span_enter_. 0: there is no room, nothing is written. */
TACHY_INLINE int tachy_span_write_(tachy_thread *thread, uint32_t scope, const tachy_open_span *entry,
                                   uint32_t duration) {
  const uint64_t head = thread->span.head;
  if (TACHY_UNLIKELY(thread->span.limit == head)) return 0;
  tachy_span_record *const record = (tachy_span_record *)(thread->span.origin + (uintptr_t)head);
  record->begin = entry->begin;
  record->duration = duration;
  record->word = tachy_depth_word_(scope) | entry->site;
  TACHY_STORE_RELEASE(&thread->span.head, head + sizeof(tachy_span_record));
  return 1;
}

/* The record of the span, and nothing else: tachy_span_enter_ comes before, and the caller sets the top. */
TACHY_INLINE void tachy_span_close_(tachy_thread *thread, uint32_t scope, uint64_t now) {
  const tachy_open_span *const entry = tachy_span_entry_(thread, scope);
  const uint64_t duration = now - entry->begin;
  if (TACHY_UNLIKELY(duration >> 32 != 0) || !tachy_span_write_(thread, scope, entry, (uint32_t)duration)) {
    tachy_span_close_slow_(thread, scope, now);
  }
}

#if defined(TACHY_GOTO)
/* tachy_span_begin and tachy_span_end of hot.h for gcc on x86-64, in assembler: 160 bytes of a function, where gcc
 * makes 219 of the C there, which says what is meant here. Included by hot.h.
 *
 * An address is the thread's, plus a scope, plus an offset of one byte. What is rare are short jumps to one long one.
 * The two halves of the clock's reading are stored and subtracted as rdtsc leaves them: x86 stores in order, so whoever
 * sees half of an entry also sees the record that ended the old one.
 */
#ifndef TACHY_HOT_X86_64_H
#define TACHY_HOT_X86_64_H

TACHY_STATIC_ASSERT(sizeof(tachy_open_span) == 16 && offsetof(tachy_open_span, site) == 8 &&
                        offsetof(tachy_thread, top) == 0 && offsetof(tachy_thread, span) == 8 &&
                        offsetof(tachy_writer, limit) == 8 && offsetof(tachy_writer, origin) == 16 &&
                        offsetof(tachy_thread, room) == 4 && offsetof(tachy_thread, stack) == 128 &&
                        offsetof(tachy_span_record, duration) == 8 && offsetof(tachy_span_record, word) == 12 &&
                        TACHY_DEPTH_SHIFT == 22,
                    "the numbers below");

/* 17 instructions, one of them for the thread; one more in a shared library (`make bench-native` counts them). In
 * braces stands what -masm=att and -masm=intel spell differently. */
TACHY_INLINE tachy_scope tachy_span_begin(tachy_site *site) {
  tachy_scope scope;
  TACHY_GOTO(
      "mov{l (%q[site]), %k[scope]| %k[scope], [%q[site]]}\n\t" /* the site's number */
      "test %k[scope], %k[scope]\n\t"
      "js 2f\n\t"                                          /* off: the scope is negative, too */
      "je 1f\n\t"                                          /* not registered yet; the test has cleared the carry */
      "mov{l (%q[thread]), %%eax| eax, [%q[thread]]}\n\t"  /* top */
      "cmp{l 4(%q[thread]), %%eax| eax, [%q[thread]+4]}\n" /* room */
      "1:\tjae %l[rare]\n\t"
      "not{l (%q[thread])| DWORD PTR [%q[thread]]}\n\t"                            /* inside a record */
      "mov{l %k[scope], 24(%q[thread],%%rax)| [%q[thread]+rax+24], %k[scope]}\n\t" /* the entry's site */
      "lea{l 16(%%rax), %k[scope]| %k[scope], [rax+16]}\n\t"
      "rdtsc\n\t"
      "mov{l %%eax, (%q[thread],%q[scope])| [%q[thread]+%q[scope]], eax}\n\t" /* the entry's begin */
      "mov{l %%edx, 4(%q[thread],%q[scope])| [%q[thread]+%q[scope]+4], edx}\n\t"
      "mov{l %k[scope], (%q[thread])| [%q[thread]], %k[scope]}\n" /* top */
      "2:"
      : [scope] "=&r"(scope)
      : [site] "r"(&site->id), [thread] "r"(tachy_here_())
      : "rax", "rdx", "cc", "memory"
      : rare);
  return scope;
rare:
  return tachy_span_begin_rare_(site);
}

/* 25 instructions. */
TACHY_INLINE void tachy_span_end(tachy_scope scope) {
  int is_off; /* as a comparison of C it would keep a copy of the scope for the rare call */
  __asm__("test %k1, %k1" : "=@ccle"(is_off) : "r"(scope));
  if (TACHY_UNLIKELY(is_off)) return;
  tachy_open_span *entry;
  TACHY_GOTO(
      "cmp{l (%q[thread]), %k[scope]| %k[scope], [%q[thread]]}\n\t" /* top */
      "jne 1f\n\t"
      "lea{q (%q[thread],%q[scope]), %q[entry]| %q[entry], [%q[thread]+%q[scope]]}\n\t"
      "rdtsc\n\t"
      "sub{l (%q[entry]), %%eax| eax, [%q[entry]]}\n\t" /* its begin */
      "sbb{l 4(%q[entry]), %%edx| edx, [%q[entry]+4]}\n\t"
      "jne 1f\n\t"                                             /* more than 32 bits */
      "not{l (%q[thread])| DWORD PTR [%q[thread]]}\n\t"        /* inside a record */
      "mov{q 8(%q[thread]), %%rdx| rdx, [%q[thread]+8]}\n\t"   /* head */
      "cmp{l 16(%q[thread]), %%edx| edx, [%q[thread]+16]}\n\t" /* limit, which is not 4 GiB away */
      "jne 2f\n"
      "1:\tjmp %l[rare]\n"
      "2:\tadd{q 24(%q[thread]), %%rdx| rdx, [%q[thread]+24]}\n\t" /* origin */
      "mov{l %%eax, 8(%%rdx)| [rdx+8], eax}\n\t"                   /* duration */
      "lea{l -128(%q[scope]), %%eax| eax, [%q[scope]-128]}\n\t"
      "shl{l $18, %%eax| eax, 18}\n\t"
      "or{l 8(%q[entry]), %%eax| eax, [%q[entry]+8]}\n\t" /* site */
      "mov{l %%eax, 12(%%rdx)| [rdx+12], eax}\n\t"        /* word */
      "mov{q (%q[entry]), %%rax| rax, [%q[entry]]}\n\t"
      "mov{q %%rax, (%%rdx)| [rdx], rax}\n\t"                       /* begin */
      "add{q $16, 8(%q[thread])| QWORD PTR [%q[thread]+8], 16}\n\t" /* head */
      "lea{l -16(%q[scope]), %%eax| eax, [%q[scope]-16]}\n\t"
      "mov{l %%eax, (%q[thread])| [%q[thread]], eax}" /* top */
      : [entry] "=&r"(entry)
      : [scope] "r"(scope), [thread] "r"(tachy_here_())
      : "rax", "rdx", "cc", "memory"
      : rare);
  return;
rare:
  tachy_span_end_rare_((int32_t)scope);
}

#endif
#else

/* Ticks since entry->begin, modulo 2^32; *is_long: they are as many or more. x86 has the reading in two halves, which
 * need not be put together: three instructions instead of six. */
TACHY_INLINE uint32_t tachy_elapsed_(const tachy_open_span *entry, int *is_long) {
#if defined(TACHY_TWO_HALVES)
  const tachy_half *const half = (const tachy_half *)&entry->begin;
  uint32_t low, high;
  __asm__ volatile("rdtsc\n\tsub{l %3, %0| %0, %3}\n\tsbb{l %4, %1| %1, %4}"
                   : "=&a"(low), "=&d"(high), "=@ccnz"(*is_long)
                   : "m"(half[0]), "m"(half[1]));
  return low;
#else
  const uint64_t elapsed = tachy_ticks() - entry->begin;
  *is_long = elapsed >> 32 != 0;
  return (uint32_t)elapsed;
#endif
}

/* What is rare is a jump: nothing lives across a call. A site that is off has a negative number, and so has its scope.
 */
TACHY_INLINE tachy_scope tachy_span_begin(tachy_site *site) {
  const int32_t id = TACHY_LOAD(&site->id);
  if (TACHY_UNLIKELY(id <= 0)) return id == 0 ? tachy_span_begin_rare_(site) : (uint32_t)id;
  tachy_thread *const thread = tachy_here_();
  const uint32_t top = thread->top;
  if (TACHY_UNLIKELY(top >= thread->room)) return tachy_span_begin_rare_(site);
  tachy_span_enter_(thread);
  const tachy_scope scope = (tachy_scope)top + sizeof(tachy_open_span);
  tachy_span_open_(thread, (uint32_t)scope, id, tachy_ticks());
  return scope;
}

/* Scopes end in the reverse order of their begins, on the thread that began them. What breaks the rule is repaired and
 * counted. */
TACHY_INLINE void tachy_span_end(tachy_scope scope) {
  if (TACHY_UNLIKELY((int32_t)scope <= 0)) return;
  tachy_thread *const thread = tachy_here_();
  const uint32_t top = (uint32_t)scope;
  if (TACHY_LIKELY(thread->top == top)) {
    const tachy_open_span *const entry = tachy_span_entry_(thread, top);
    int is_long;
    const uint32_t duration = tachy_elapsed_(entry, &is_long);
    if (TACHY_LIKELY(!is_long)) {
      tachy_span_enter_(thread); /* not before the clock has been read: half a nanosecond more */
      if (tachy_span_write_(thread, top, entry, duration)) {
        TACHY_STORE_RELEASE(&thread->top, top - (uint32_t)sizeof(tachy_open_span));
        return;
      }
    }
  }
  tachy_span_end_rare_((int32_t)scope); /* once in the code, for all that is rare */
}
#endif

/* Ends one span and begins the next, with one reading of the clock: for the phases of a frame. */
TACHY_INLINE tachy_scope tachy_phase_next(tachy_scope scope, tachy_site *site) {
  const int32_t id = tachy_site_on_(site);
  tachy_thread *const thread = tachy_here_();
  if (TACHY_UNLIKELY((int32_t)scope <= 0 || id <= 0 || thread->top != (uint32_t)scope)) {
    tachy_span_end(scope);
    return id > 0 ? tachy_span_begin(site) : 0;
  }
  tachy_span_enter_(thread);
  const uint64_t now = tachy_ticks();
  tachy_span_close_(thread, (uint32_t)scope, now);
  tachy_span_open_(thread, (uint32_t)scope, id, now);
  return scope;
}

/* Values on spans: see tachy.h. Two tests and no clock, 1 ns; 16 bytes in the thread's chunk, before the span's. */

/* The innermost open span of the thread, as its begin returned it; where there is none, what takes no values. */
TACHY_INLINE tachy_scope tachy_span_innermost(void) {
  const uint32_t top = tachy_here_()->top;
  return top == TACHY_TOP_NONE_ ? 0 : top;
}

TACHY_INLINE void tachy_span_value_bits_(tachy_scope scope, tachy_site *site, uint32_t type, uint64_t bits) {
  const int32_t id = tachy_site_on_(site);
  if (id <= 0) return;
  tachy_thread *const thread = tachy_here_();
  const uint32_t top = thread->top;
  /* no span, or it has ended */
  if (TACHY_UNLIKELY((uint32_t)scope - TACHY_TOP_OF_(1) >= top - TACHY_TOP_NONE_)) return;
  if (TACHY_UNLIKELY(top > TACHY_TOP_MAX_)) {
    tachy_span_value_slow_(scope, id, type, bits);
    return;
  }
  tachy_span_enter_(thread);
  const uint64_t head = thread->span.head;
  if (TACHY_UNLIKELY(thread->span.limit == head)) {
    TACHY_STORE_RELEASE(&thread->top, top);
    tachy_span_value_slow_(scope, id, type, bits);
    return;
  }
  tachy_value_record *const record = (tachy_value_record *)(thread->span.origin + (uintptr_t)head);
  record->control = (TACHY_CONTROL_VALUE | (uint64_t)type << 32) | (tachy_depth_word_((uint32_t)scope) | (uint32_t)id);
  record->bits = bits;
  TACHY_STORE_RELEASE(&thread->span.head, head + sizeof(tachy_value_record));
  TACHY_STORE_RELEASE(&thread->top, top);
}

TACHY_INLINE void tachy_span_value_int(tachy_scope scope, tachy_site *site, int64_t value) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_I64, (uint64_t)value);
}

TACHY_INLINE void tachy_span_value_unsigned(tachy_scope scope, tachy_site *site, uint64_t value) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_U64, value);
}

TACHY_INLINE void tachy_span_value_bool(tachy_scope scope, tachy_site *site, int value) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_BOOL, value != 0);
}

TACHY_INLINE uint64_t tachy_bits_of_(double value) {
  union {
    double value;
    uint64_t bits;
  } word;
  word.value = value;
  return word.bits;
}

TACHY_INLINE void tachy_span_value_float(tachy_scope scope, tachy_site *site, double value) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_F64, tachy_bits_of_(value));
}

TACHY_INLINE void tachy_span_flow(tachy_scope scope, tachy_site *site, uint64_t flow) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_FLOW, flow);
}

TACHY_INLINE void tachy_async_value_int(tachy_async *span, tachy_site *site, int64_t value) {
  tachy_async_value_(span, site, TACHY_VALUE_I64, (uint64_t)value);
}

TACHY_INLINE void tachy_async_value_unsigned(tachy_async *span, tachy_site *site, uint64_t value) {
  tachy_async_value_(span, site, TACHY_VALUE_U64, value);
}

TACHY_INLINE void tachy_async_value_bool(tachy_async *span, tachy_site *site, int value) {
  tachy_async_value_(span, site, TACHY_VALUE_BOOL, value != 0);
}

TACHY_INLINE void tachy_async_value_float(tachy_async *span, tachy_site *site, double value) {
  tachy_async_value_(span, site, TACHY_VALUE_F64, tachy_bits_of_(value));
}

TACHY_INLINE void tachy_async_flow(tachy_async *span, tachy_site *site, uint64_t flow) {
  tachy_async_value_(span, site, TACHY_VALUE_FLOW, flow);
}

/* Metrics -------------------------------------------------------------------------------------------------------- */

/* Begins a record of a metric or a log. 0: the thread is inside one, or is not known yet. */
TACHY_INLINE int tachy_row_enter_(tachy_thread *thread) {
  if (TACHY_UNLIKELY(thread->busy != 0)) return 0;
  *(volatile uint8_t *)&thread->busy = 1; /* a TACHY_STORE would have its address kept for what ends the record */
  TACHY_SIGNAL_FENCE();
  return 1;
}

TACHY_INLINE void tachy_row_leave_(tachy_thread *thread) { TACHY_STORE_RELEASE(&thread->busy, 0); }

/* Between these two. 0: there is no room, nothing is written. */
TACHY_INLINE int tachy_metric_write_(tachy_thread *thread, int32_t id, uint32_t set, uint64_t ticks, uint64_t value) {
  const uint64_t head = thread->metric.head;
  if (TACHY_UNLIKELY(thread->metric.limit - head < sizeof(tachy_metric_record))) return 0;
  tachy_metric_record *const record = (tachy_metric_record *)(thread->metric.origin + (uintptr_t)head);
  record->ticks = ticks;
  record->value = value;
  record->site = (uint32_t)id;
  record->set = set;
  TACHY_STORE_RELEASE(&thread->metric.head, head + sizeof(tachy_metric_record));
  return 1;
}

TACHY_INLINE void tachy_metric_bits_(int32_t id, uint32_t set, uint64_t value) {
  tachy_thread *const thread = tachy_here_();
  if (TACHY_LIKELY(tachy_row_enter_(thread))) {
    const int written = tachy_metric_write_(thread, id, set, tachy_ticks(), value);
    tachy_row_leave_(thread);
    if (TACHY_LIKELY(written)) return;
  }
  tachy_metric_slow_(id, set, value);
}

/* set: from tachy_property_set, or 0. */
TACHY_INLINE void tachy_metric_int(tachy_site *site, uint32_t set, int64_t value) {
  const int32_t id = tachy_site_on_(site);
  if (id > 0) tachy_metric_bits_(id, set, (uint64_t)value);
}

TACHY_INLINE void tachy_metric_float(tachy_site *site, uint32_t set, double value) {
  const int32_t id = tachy_site_on_(site);
  if (id > 0) tachy_metric_bits_(id, set, tachy_bits_of_(value));
}

/* The same for a number that may be too large for int64: from 2^63 on it is recorded as a double, as a float metric
 * with the site's description. */
TACHY_INLINE void tachy_metric_unsigned(tachy_site *site, uint32_t set, uint64_t value) {
  if (TACHY_LIKELY(value >> 63 == 0)) {
    tachy_metric_int(site, set, (int64_t)value);
  } else {
    tachy_metric_beyond_(site, set, (double)value);
  }
}

/* The end of a frame: a metric whose value is the ticks since the thread's last frame mark (SQL shows seconds). The
 * first one only starts the count. */
TACHY_INLINE void tachy_frame_mark(tachy_site *site) {
  const int32_t id = tachy_site_on_(site);
  if (id <= 0) return;
  tachy_thread *const thread = tachy_here_();
  if (TACHY_LIKELY(thread->frame_ticks != 0 && tachy_row_enter_(thread))) {
    const uint64_t now = tachy_ticks();
    const int written = tachy_metric_write_(thread, id, 0, now, now - thread->frame_ticks);
    if (TACHY_LIKELY(written)) thread->frame_ticks = now;
    tachy_row_leave_(thread);
    if (TACHY_LIKELY(written)) return;
  }
  tachy_frame_slow_(id);
}

/* Logs ----------------------------------------------------------------------------------------------------------- */

/* A log of at most so many bytes may be written inline: no text of it can be one that must be cut. */
enum { TACHY_LOG_INLINE_MAX_ = 1024 };

/* Begins the record of a log of `size` bytes, at most TACHY_LOG_INLINE_MAX_, and reads its clock. The arguments go
 * behind it, and then tachy_log_end_ is told *thread. NULL: the log is lost, and counted. Where there is no room the
 * next chunk is begun out of line, and nothing but that: once in a thousand logs, so that nothing of it lies in a
 * cache. */
TACHY_INLINE tachy_log_record *tachy_log_begin_(tachy_thread **where, int32_t id, uint32_t set, uint32_t types,
                                                uint64_t size) {
  tachy_thread *thread = tachy_here_();
  *where = thread;
  if (TACHY_LIKELY(tachy_row_enter_(thread))) {
    const uint64_t head = thread->log.head;
    if (TACHY_LIKELY(thread->log.limit - head >= size)) {
      tachy_log_record *const record = (tachy_log_record *)(thread->log.origin + (uintptr_t)head);
      record->ticks = tachy_ticks();
      record->site = (uint32_t)id;
      record->set = set;
      record->size = (uint32_t)size;
      record->types = types;
      return record;
    }
    tachy_row_leave_(thread);
  }
  *where = thread = tachy_log_begin_slow_(id, set, types, size);
  return thread ? (tachy_log_record *)(thread->log.origin + (uintptr_t)thread->log.head) : NULL;
}

TACHY_INLINE void tachy_log_end_(tachy_thread *thread, uint64_t size) {
  TACHY_STORE_RELEASE(&thread->log.head, thread->log.head + size);
  tachy_row_leave_(thread);
}

/* After the end of a log: those that are to be sent at once (tachy_config.flush_ms) wake the collector. */
TACHY_INLINE void tachy_log_sends_(unsigned level) {
  if (TACHY_UNLIKELY(level - TACHY_LEVEL_FATAL <= TACHY_LEVEL_WARN - TACHY_LEVEL_FATAL)) tachy_log_urges_();
}

/* The bytes that a text takes in a record: its size, itself, zeros up to 8. */
TACHY_INLINE uint64_t tachy_log_text_room_(uint64_t size) { return (sizeof(uint32_t) + size + 7) & ~UINT64_C(7); }

/* Writes it; returns where the next argument goes. Most texts are short, and are copied without a call: two pieces that
 * overlap. */
TACHY_INLINE uint8_t *tachy_log_put_text_(uint8_t *at, const char *text, uint32_t size) {
  uint8_t *const end = at + tachy_log_text_room_(size);
  memset(end - 8, 0, 8);
  memcpy(at, &size, sizeof size);
  at += sizeof size;
  if (TACHY_LIKELY(size - 16u <= 16u)) {
    memcpy(at, text, 16);
    memcpy(at + size - 16, text + size - 16, 16);
  } else if (TACHY_LIKELY(size - 8u <= 8u)) {
    memcpy(at, text, 8);
    memcpy(at + size - 8, text + size - 8, 8);
  } else if (size) {
    memcpy(at, text, size);
  }
  return end;
}

/* A log whose arguments are all numbers or pointers, `count` of them: tachy_log_args without the texts, inline. */
TACHY_INLINE void tachy_log_words(tachy_site *site, uint32_t set, uint32_t types, const uint64_t *values,
                                  uint32_t count) {
  const int32_t id = tachy_site_on_(site);
  if (id <= 0) return;
  tachy_thread *thread;
  const uint64_t size = sizeof(tachy_log_record) + sizeof(uint64_t) * count;
  tachy_log_record *const record = tachy_log_begin_(&thread, id, set, types, size);
  if (TACHY_UNLIKELY(!record)) return;
  uint64_t *const words = (uint64_t *)(void *)(record + 1);
  for (uint32_t i = 0; i < count; i++) words[i] = values[i];
  tachy_log_end_(thread, size);
  tachy_log_sends_(site->level);
}

#ifdef __cplusplus
}
#endif
#endif
#if defined(TACHY_OS_HOST)
/* A system that the recorder does not know (a game console, say) as a table of functions, for builds with
 * -DTACHY_OS_HOST: the host calls tachy_set_host before anything else of the recorder. Without a table nothing runs:
 * tachy_start says TACHY_ERROR_SYSTEM.
 *
 * There are no files behind it: sessions are as with session_folder "-", and what is not sent dies with the process. */
#ifndef TACHY_HOST_H
#define TACHY_HOST_H

#include <stddef.h>
#include <stdint.h>

typedef enum tachy_host_fact {
  TACHY_HOST_EXE,
  TACHY_HOST_USERNAME,
  TACHY_HOST_REALNAME,
  TACHY_HOST_COMPUTER,
  TACHY_HOST_SYSTEM,
  TACHY_HOST_CPU
} tachy_host_fact;

/* Times are in nanoseconds. Every function may be called on any thread, and none may be NULL. */
typedef struct tachy_host {
  /* Memory that begins at a multiple of `alignment`, a power of two; it need not be cleared. NULL: there is none. */
  void *(*allocate)(size_t size, size_t alignment);
  void (*release)(void *memory);

  /* Locks that their owner may take again. They live as long as the process. */
  void *(*lock_make)(void);
  void (*lock)(void *lock);
  void (*unlock)(void *lock);

  /* An event lets one wait through and is reset by that; one that is set while nobody waits is remembered. Waits at
   * most so long. They live as long as the process. */
  void *(*event_make)(void);
  void (*event_set)(void *event);
  void (*event_wait)(void *event, uint64_t ns);

  /* Runs function(argument) on a thread of that name; what it returns is for thread_join, which frees it. NULL: could
   * not. */
  void *(*thread_start)(void (*function)(void *argument), void *argument, const char *name);
  void (*thread_join)(void *thread);
  uint64_t (*thread_id)(void);
  /* The calling thread's name, terminated; "" when it has none. */
  void (*thread_name)(char *text, size_t size);
  /* function(value) is to run when the calling thread ends. Called once or more on a thread, always with the same
   * function; the last value holds. 0: could not, and then the thread records nothing. */
  int (*at_thread_exit)(void (*function)(void *value), void *value);
  void (*sleep)(uint64_t ns);

  uint64_t (*monotonic)(void);
  int64_t (*utc)(void);                    /* since 1970 */
  int (*random)(void *bytes, size_t size); /* 0: could not, and then no session starts */

  /* Terminated, "" when unknown. */
  void (*describe)(tachy_host_fact fact, char *text, size_t size);
  /* One line for whoever runs the program. */
  void (*complain)(const char *line);
} tachy_host;

#ifdef __cplusplus
extern "C" {
#endif

/* Copied. */
void tachy_set_host(const tachy_host *host);

#ifdef __cplusplus
}
#endif

#endif
#endif

#endif
