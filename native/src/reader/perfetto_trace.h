/* What the Perfetto encoder remembers between blocks, and what its parts offer each other.
 *
 * perfetto.c holds the handle, processes, threads and packet sequences; perfetto_slices.c writes thread slices,
 * perfetto_values.c counters and frames, perfetto_logs.c logs, perfetto_lanes.c async spans, perfetto_given.c the
 * values on spans. Everything is kept by process, and forgotten at tachy_perfetto_finish. Where memory runs out, `out`
 * remembers it (perfetto_fail): what is written from then on is dropped.
 */
#ifndef TACHY_PERFETTO_TRACE_H
#define TACHY_PERFETTO_TRACE_H

#include "decode.h"
#include "lists.h"
#include "perfetto_proto.h"

/* Field numbers of protos/perfetto/trace: append-only there, checked against the wheel's protos by the tests. */
enum {
  TRACE_PACKET = 1,
  PACKET_CLOCK_SNAPSHOT = 6,
  PACKET_TIMESTAMP = 8,
  PACKET_SEQUENCE_ID = 10,
  PACKET_TRACK_EVENT = 11,
  PACKET_INTERNED_DATA = 12,
  PACKET_SEQUENCE_FLAGS = 13,
  PACKET_DEFAULTS = 59,
  PACKET_TRACK_DESCRIPTOR = 60,
  PACKET_FIRST_ON_SEQUENCE = 87,
  DEFAULTS_TRACK_EVENT = 11,
  DEFAULTS_CLOCK_ID = 58,
  SNAPSHOT_CLOCK = 1,
  CLOCK_ID = 1,
  CLOCK_TIME = 2,
  CLOCK_INCREMENTAL = 3,
  EVENT_DEFAULTS_TRACK_UUID = 11,
  INTERNED_CATEGORY = 1,
  INTERNED_NAME = 2,
  INTERNED_ANNOTATION_NAME = 3,
  INTERNED_LOCATION = 4,
  INTERNED_ANNOTATION_TEXT = 29,
  ENTRY_IID = 1,
  ENTRY_TEXT = 2,
  LOCATION_FUNCTION = 3,
  LOCATION_LINE = 4,
  EVENT_CATEGORY_IID = 3,
  EVENT_ANNOTATION = 4,
  EVENT_TYPE = 9,
  EVENT_NAME_IID = 10,
  EVENT_TRACK_UUID = 11,
  EVENT_CATEGORY = 22,
  EVENT_NAME = 23,
  EVENT_COUNTER_VALUE = 30,
  EVENT_LOCATION_IID = 34,
  EVENT_COUNTER_DOUBLE = 44,
  EVENT_FLOW = 47,
  EVENT_FLOW_END = 48,
  ANNOTATION_NAME_IID = 1,
  ANNOTATION_BOOL = 2,
  ANNOTATION_UINT = 3,
  ANNOTATION_INT = 4,
  ANNOTATION_DOUBLE = 5,
  ANNOTATION_TEXT = 6,
  ANNOTATION_NAME = 10,
  ANNOTATION_DICT = 11,
  ANNOTATION_TEXT_IID = 17,
  TRACK_UUID = 1,
  TRACK_NAME = 2,
  TRACK_THREAD = 4,
  TRACK_PARENT = 5,
  TRACK_COUNTER = 8,
  TRACK_SIBLING_MERGE = 15,
  THREAD_PID = 1,
  THREAD_TID = 2,
  THREAD_NAME = 5,
  COUNTER_CATEGORY = 2,
  COUNTER_UNIT_NAME = 6,
  SIBLING_MERGE_NONE = 2,
  SEQUENCE_CLEARED = 1,
  CLOCK_BOOTTIME = 6,
  CLOCK_OF_SEQUENCE = 64, /* the first of those that each sequence has for itself */
  TYPE_BEGIN = 1,
  TYPE_END = 2,
  TYPE_INSTANT = 3,
  TYPE_COUNTER = 4
};

#define PERFETTO_DESCRIPTORS 16u /* packet sequence of thread descriptors; smaller ids are the caller's */
#define PERFETTO_DERIVED_TID 0x40000000u
#define PERFETTO_TAIL_MAX 39u
/* Slices that nest on one track: trace processors ignore the begin of a deeper one but not its end, which then ends
 * another (kMaxDepth in Perfetto's slice_tracker.cc). */
#define PERFETTO_NESTING_MAX 512u

/* What track and process uuids are derived from, beside the process id. */
enum {
  UUID_PROCESS = 1,
  UUID_THREAD = 2,
  UUID_COUNTER = 3,
  UUID_FRAMES = 4,
  UUID_LANE = 5,
  UUID_FLOW = 6,
  UUID_GIVEN_FLOW = 7
};

/* A packet sequence: the unit of interning, and of timestamps, each of which says by how much it is later than the one
 * before. That every packet needs what the sequence has defined is not said in each: none of a trace is ever missing.
 */
typedef struct perfetto_sequence {
  uint32_t id;       /* 0: no packet written yet */
  uint32_t next_iid; /* one numbering for names, categories, source locations and annotations */
  int64_t last;      /* newest timestamp */
  tachy_map interned;
} perfetto_sequence;

/* Interning ids of a site; 0: the site has no such text. */
typedef struct perfetto_iids {
  uint32_t name;
  uint32_t category;
  uint32_t location;
} perfetto_iids;

typedef struct perfetto_value {
  uint64_t bits;
  uint32_t type; /* tachy_value_type */
  uint32_t key;  /* in `texts`, as is the text */
  uint32_t key_size;
  uint32_t text;
  uint32_t text_size;
} perfetto_value;

/* The values of a span, copied: spans outlive their blocks. Zero it before the first use. */
typedef struct perfetto_given {
  perfetto_value *values; /* room for TACHY_SPAN_VALUES_MAX, or NULL */
  tachy_buffer texts;
  uint32_t count;
} perfetto_given;

typedef enum perfetto_open_state {
  OPEN_PENDING = 0, /* may overlap the range, which lies later: its begin is not written yet */
  OPEN_BEGUN = 1,
  OPEN_OUTSIDE = 2 /* begins after the range */
} perfetto_open_state;

typedef struct perfetto_open {
  uint64_t id;
  int64_t begin;
  perfetto_iids iids;
  uint32_t depth;
  perfetto_open_state state;
  uint32_t flows;   /* that its begin was written with */
  uint64_t process; /* uuid */
  perfetto_given given;
} perfetto_open;

typedef struct perfetto_thread {
  uint64_t uuid;
  uint64_t name_hash; /* of the name in the descriptor written last */
  uint32_t number;
  uint32_t tid;
  perfetto_sequence slices;
  perfetto_sequence logs;
  perfetto_sequence values;
  TACHY_LIST(perfetto_open) open; /* spans whose end has not been seen, outermost first */
  uint64_t lost;                  /* spans, not marked yet */
  uint32_t nested;  /* slices that have begun and not ended, those that are too deep for the trace included */
  uint64_t hidden;  /* slices that were too deep, since nesting was last within the limit */
  uint32_t pending; /* how many of them are OPEN_PENDING */
} perfetto_thread;

typedef struct perfetto_texts { /* of a site */
  tachy_text name;
  tachy_text target;
  tachy_text file;
  uint32_t line;
} perfetto_texts;

typedef struct perfetto_async_site { /* copied: async spans outlive their blocks */
  perfetto_texts texts;
  char *memory; /* of the three */
} perfetto_async_site;

typedef struct perfetto_async {
  uint64_t id;
  uint64_t parent; /* span id, 0: none */
  int64_t begin;
  int64_t end;
  uint32_t site; /* index into the process's async_sites */
  uint32_t depth;
  uint32_t lane;
  uint32_t level;       /* how deep it nests on its lane */
  uint32_t first_apart; /* 1 + index of the newest child that is not nested under this one */
  uint32_t next_apart;  /* 1 + index of the parent's one before */
  uint8_t is_apart;
  uint8_t has_begin;
  uint8_t has_end;
  perfetto_given given;
} perfetto_async;

typedef struct perfetto_frames { /* frames of one site and thread: a track and a sequence */
  perfetto_sequence sequence;
  perfetto_iids iids;
} perfetto_frames;

typedef struct perfetto_process {
  uint64_t uuid;
  int32_t pid;
  uint32_t next_tid; /* for threads without a usable one */
  int64_t first_utc; /* when its first block began */
  tachy_map tids;
  tachy_map thread_by_number; /* index + 1, like the others */
  TACHY_LIST(perfetto_thread) threads;
  tachy_map counters; /* track uuids that have been described */
  tachy_map frames_by_key;
  TACHY_LIST(perfetto_frames) frames;
  tachy_map async_by_id;
  TACHY_LIST(perfetto_async) async;
  tachy_map async_site_by_hash;
  TACHY_LIST(perfetto_async_site) async_sites;
} perfetto_process;

typedef struct perfetto_work perfetto_work;

struct tachy_perfetto {
  proto_buffer out;
  proto_buffer interned; /* what the packet that is open has to define */
  uint64_t part_end;     /* size of `out` at which the part is full */
  perfetto_work *work;   /* the block that is being written, or NULL */
  int64_t begin_utc;
  int64_t end_utc;
  uint64_t seed;
  uint32_t next_sequence;
  int thread_spans; /* wanted */
  int async_spans;
  tachy_status broken; /* a failure that left the trace unusable */
  tachy_perfetto_counts counts;
  tachy_map pids;
  tachy_map process_by_id; /* index + 1 */
  TACHY_LIST(perfetto_process) processes;
};

/* One block while it is being written. */
typedef struct perfetto_site_cache {
  uint64_t name_hash; /* 0: not computed */
  uint64_t target_hash;
  uint64_t location_hash;
  uint64_t counter_key; /* of name, target and unit; 0: not computed */
  uint64_t owner;       /* uuid of the thread for which iids and tail hold; 0: none's */
  uint32_t copy;        /* 1 + index of the process's copy for async spans; 0: not known */
  perfetto_iids iids;
  uint8_t tail_size;
  uint8_t tail[PERFETTO_TAIL_MAX]; /* of a slice begin packet, after its timestamp */
} perfetto_site_cache;

typedef struct perfetto_scope {
  tachy_perfetto *trace;
  const tachy_block *block;
  perfetto_process *process;
  perfetto_site_cache *sites;
  uint32_t *threads; /* of the block: 1 + index in the process; 0: not described yet */
} perfetto_scope;

/* How far a block's rows have been written. A part ends when it has so many bytes. */
#define PERFETTO_PART (UINT64_C(4) << 20)
typedef struct perfetto_position {
  uint32_t thread; /* of spans */
  uint64_t row;    /* of metrics */
  uint64_t gap;
} perfetto_position;

/* The timestamp of the sequence's next packet. What is earlier than the newest, or negative, is raised to that. */
static inline uint64_t perfetto_timestamp(perfetto_sequence *sequence, int64_t utc) {
  const int64_t last = sequence->last;
  if (utc <= last) return 0;
  sequence->last = utc;
  return (uint64_t)(utc - last);
}

static inline int perfetto_part_is_full(const tachy_perfetto *trace) { return trace->out.size >= trace->part_end; }

/* perfetto.c */
void perfetto_fail(tachy_perfetto *trace); /* out of memory */
/* One more element of a list, or the one that the map has for a key; *is_new: it was added, zeroed. NULL: out of
 * memory. */
void *perfetto_add(tachy_perfetto *trace, void *list, size_t element);
void *perfetto_find(tachy_perfetto *trace, tachy_map *map, uint64_t key, void *list, size_t element, int *is_new);
uint64_t perfetto_uuid(uint64_t process, uint64_t kind, uint64_t key);
/* The block's thread `t`, described in the trace. NULL: out of memory. */
perfetto_thread *perfetto_thread_of(const perfetto_scope *scope, uint32_t t);
/* Gives the sequence an id and writes its first packet, once. */
void perfetto_sequence_begin(tachy_perfetto *trace, perfetto_sequence *sequence, uint64_t default_track);
/* Open in a packet a track descriptor, a track event with its time. perfetto_end closes all that is open. */
void perfetto_track(tachy_perfetto *trace, uint32_t sequence, uint64_t uuid, uint64_t parent);
void perfetto_event(tachy_perfetto *trace, perfetto_sequence *sequence, int64_t utc, int type);
void perfetto_end(tachy_perfetto *trace);
void perfetto_write_iids(tachy_perfetto *trace, const perfetto_iids *iids);
void perfetto_mark(tachy_perfetto *trace, const char *name); /* a true annotation in the open event */
/* An instant on the sequence's own track. */
void perfetto_note(tachy_perfetto *trace, perfetto_sequence *sequence, int64_t utc, const char *category,
                   const char *text);
/* The sequence of the block's thread `t` for its logs or metrics. NULL: out of memory. */
perfetto_sequence *perfetto_sequence_of(const perfetto_scope *scope, uint32_t t);
/* Marks what the range has lost of them before row `row`, from gap *at on. */
void perfetto_gaps(const perfetto_scope *scope, const tachy_rows *rows, uint64_t row, uint64_t *at);
/* A note that `count` events were lost here. */
void perfetto_lost(tachy_perfetto *trace, perfetto_sequence *sequence, int64_t utc, uint64_t count, const char *what);

/* perfetto_intern.c */
perfetto_texts perfetto_texts_of(const tachy_block *block, uint32_t site);
/* Fills the hashes of the site's texts in the cache. */
perfetto_site_cache *perfetto_site_hashes(const perfetto_scope *scope, uint32_t site);
/* The ids of a site, or of its texts, in the sequence; what the sequence has not defined yet is written. */
void perfetto_intern_site(const perfetto_scope *scope, perfetto_sequence *sequence, uint32_t site, perfetto_iids *iids);
void perfetto_intern_texts(tachy_perfetto *trace, perfetto_sequence *sequence, const perfetto_texts *texts,
                           perfetto_iids *iids);
/* A text's id as INTERNED_ANNOTATION_NAME or INTERNED_ANNOTATION_TEXT, for a packet of the sequence that is open: that
 * defines it if need be. */
uint32_t perfetto_intern_text(tachy_perfetto *trace, perfetto_sequence *sequence, uint32_t kind, tachy_text text);

/* perfetto_given.c. flows returns how many the slice has; those that were `written` before are left out. */
void perfetto_given_set(tachy_perfetto *trace, perfetto_given *given, const tachy_block *block,
                        tachy_value_range range);
void perfetto_given_free(perfetto_given *given);
void perfetto_given_write(tachy_perfetto *trace, perfetto_sequence *sequence, const perfetto_given *given);
uint32_t perfetto_given_flows(tachy_perfetto *trace, uint64_t process, const perfetto_given *given, uint32_t written);

/* The classes. Everything is decoded, or checked, before anything is written, so that a malformed block leaves the
 * trace as it was. Those with a position write from there on, up to a part's end: spans by threads. */
void perfetto_add_slices(const perfetto_scope *scope, const tachy_rows *rows, perfetto_position *at);
/* Async rows; or, before them, the spans that are open at the block's start: those that no block before has listed. */
void perfetto_add_async(const perfetto_scope *scope, const tachy_rows *rows);
void perfetto_add_values(const perfetto_scope *scope, const tachy_rows *rows, perfetto_position *at);
/* All rows: so many are decoded at a time, of at most 16 KiB of message each. */
#define PERFETTO_LOGS 1024u
tachy_status perfetto_add_logs(const perfetto_scope *scope, const tachy_rows *rows, tachy_read_error *error);
void perfetto_close_slices(tachy_perfetto *trace, perfetto_thread *thread, int64_t end_utc);
void perfetto_write_lanes(tachy_perfetto *trace, perfetto_process *process, int64_t end_utc);

static inline int perfetto_overlaps(const tachy_perfetto *trace, int64_t begin, int64_t end) {
  return begin <= trace->end_utc && end >= trace->begin_utc;
}

#endif
