/* The reader: blocks -> Arrow C data, and blocks -> Perfetto bytes.
 *
 * Blocks come from outside. Whatever the bytes are, no function here reads out of bounds, loops, or allocates more than
 * a small multiple of what a well-formed block of that size could hold; it returns TACHY_ERROR_FORMAT and a sentence.
 * Decompression is the caller's: functions take a block's head (header, threads, names) and its body as it was before
 * compression.
 *
 * No global state; every function may run on any thread at the same time as any other, on different handles.
 * The reader does not know the recorder: the two share format.h and status.h.
 */
#ifndef TACHY_READER_H
#define TACHY_READER_H

#include "format.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
/* https://arrow.apache.org/docs/format/CDataInterface.html */
struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};
#endif

typedef struct tachy_read_error {
  char message[256]; /* one sentence, filled when a function fails */
} tachy_read_error;

/* Structure and hashes --------------------------------------------------------------------------------------------- */

/* XXH64, seed 0. */
uint64_t tachy_hash(const void *bytes, uint64_t size);

/* Checks the head of a block: at least its header_size bytes must be there. With `body`, also stored_size and
 * body_hash. `size` is what is there; *total is set to the size of the whole block, padding included. header and
 * threads may be copied out with memcpy afterwards (bytes need no alignment). */
tachy_status tachy_block_check(const void *bytes, uint64_t size, int body, uint64_t *total, tachy_read_error *error);

/* Checks a whole batch: header, hash, sizes, every block with its body hash, that all blocks are of the batch's process
 * and do not contradict themselves (their times their clocks and threads, their rows their size), that nothing is left
 * over. */
tachy_status tachy_batch_check(const void *bytes, uint64_t size, tachy_read_error *error);

/* The derived identities, 16 bytes each. */
void tachy_block_id(const uint8_t process_id[16], uint8_t cls, uint64_t sequence, uint8_t id[16]);
void tachy_stream_id(const uint8_t process_id[16], uint8_t cls, uint32_t thread, uint8_t id[16]);

/* Decoding to Arrow ------------------------------------------------------------------------------------------------ */

typedef struct tachy_block_limits {
  uint64_t rows;
  uint64_t raw_bytes; /* of a body, decompressed */
  uint64_t expansion; /* how often its stored bytes may go into these, where they are more than 64 MiB */
} tachy_block_limits;

typedef struct tachy_blocks { /* to be read: of each its head, and its body decompressed; NULL: it is passed over */
  uint64_t count;
  const void *const *heads;
  uint64_t *head_sizes;
  const void **bodies;
  uint64_t *body_sizes;
} tachy_blocks;

typedef struct tachy_packed { /* bodies that have to be decompressed, in zstd's frames one behind the other */
  uint8_t *bytes;             /* room for those of all blocks */
  uint64_t *segments;         /* of each frame its offset and its size */
  uint64_t *raw_sizes;
  uint64_t *numbers; /* of the blocks */
  uint64_t count;
  uint64_t *others; /* numbers of blocks whose bodies are compressed otherwise, or are nothing once decompressed */
  uint64_t other_count;
} tachy_packed;

/* Looks at whole blocks from the store, which lie at blocks->heads, from number *at on: as tachy_block_check does, at
 * their limits, and whether they are those of these header hashes (NULL: whichever they are). Fills the rest of
 * `blocks` (bodies that are not compressed are where they lie, the others NULL) and `packed`. After a failure block *at
 * is passed over, and the next call goes on behind it once *at has been raised. All memory is the caller's: arrays of
 * `count`, of segments twice. */
tachy_status tachy_blocks_check(tachy_blocks *blocks, const uint64_t *sizes, const uint64_t *header_hashes,
                                const tachy_block_limits *limits, tachy_packed *packed, uint64_t *at,
                                tachy_read_error *error);

/* Where packed bodies [first, end) lie once they are decompressed, one behind the other. */
void tachy_blocks_unpacked(tachy_blocks *blocks, const tachy_packed *packed, uint64_t first, uint64_t end,
                           const void *bodies);

typedef enum tachy_read_kind {
  TACHY_READ_LOGS = 1,
  TACHY_READ_METRICS = 2,
  TACHY_READ_SPANS = 3,
  TACHY_READ_ASYNC = 4,
  TACHY_READ_OPEN_ASYNC = 5,
  TACHY_READ_IMAGES = 6,    /* parts of images: logs that TACHY_READ_LOGS leaves out, with the same columns */
  TACHY_READ_SPAN_TIMES = 7 /* of a block of spans */
} tachy_read_kind;

typedef struct tachy_read_options {
  tachy_read_kind kind;
  int64_t begin_utc; /* only events that overlap [begin_utc, end_utc] … */
  int64_t end_utc;   /* … both inclusive; INT64_MIN, INT64_MAX for all */
  uint64_t stream_count;
  const uint8_t *stream_ids; /* only of these streams: 16 bytes each, ascending by their bytes; NULL: of all */
  const uint8_t *open_end;   /* spans: for each block 1 to add those that are still open at its end, is_open, ending
                                there; NULL: of none */
  uint64_t column_count;
  const char *const *columns; /* their names, in the order in which they come; NULL: all but those of any kind */
  uint64_t rows;              /* of a batch, at most; 0: all in one, whatever they take */
} tachy_read_options;

/* The rows of one kind in many blocks, block after block, in batches: as many rows as are asked for, but no more than
 * about 16 MiB of messages or of properties, whatever the sizes of the blocks. Memory is what the rows of one block
 * need (44 bytes each, of span times 52; of logs 28 for each of 2^17, and 32 for each of their arguments) beside its
 * body, and a batch. What blocks and options point to must outlive the reader. */
typedef struct tachy_reader tachy_reader;

tachy_status tachy_reader_open(const tachy_blocks *blocks, const tachy_read_options *options, tachy_reader **reader,
                               tachy_read_error *error);
void tachy_reader_free(tachy_reader *reader);

/* Fills *schema and *array (one struct array: a record batch) which the caller releases or imports. There is one batch
 * at least; *more says whether another follows. After TACHY_ERROR_FORMAT nothing was filled: block *block cannot be
 * read, and the next call goes on behind it. A block is checked to its end before any of its rows is in a batch, but
 * for messages and properties that are too long.
 *
 * Types: ts is timestamp[ns, UTC]; D a dictionary of int32 indices and utf8 values, those of the batch's rows.
 *
 *   spans, in the order of their ends        async                        logs                 metrics
 *   -------------------------------------    -------------------------    -----------------    -----------------
 *   thread          int32                    thread            int32      thread      int32    thread      int32
 *   id              int64                    time              ts         time        ts       time        ts
 *   parent          int64                    event_type        D          target      D        target      D
 *   depth           uint32                   span_id           int64      level       int32    name        D
 *   hash            uint32                   parent_span_id    int64      msg         utf8     unit        D
 *   begin           ts                       depth             uint32     properties  D        value       float64
 *   end             ts                       hash              uint32     filename    D        properties  D
 *   duration        int64                    name              D          line        uint32   kind        uint32
 *   name            D                        filename          D
 *   target          D                        target            D
 *   filename        D                        line              uint32
 *   line            uint32                   properties        D
 *   is_open         bool
 *   properties      D
 *
 * And of any kind `block`, int32, which of the blocks, and block_id, D; but for open async spans stream_id and
 * thread_name, D.
 *
 * `thread` is an index into the thread table of the row's block. hash is the low half of XXH64 over name, 0, target, 0,
 * filename, 0 and the line as 4 bytes. event_type is "begin" or "end". properties are JSON text, "{}" for none: those
 * of spans are the values on them, numbers as numbers. The begin of an async span has those that it was given until the
 * block's end, its end has all. kind is a tachy_site_kind: integers become doubles; ticks and frames become seconds,
 * their unit "seconds".
 *
 * Span times are what spans took, in rows that add up over any set of blocks: thread int32, time ts (the span's begin,
 * by which a range selects), name D, target D, filename D, line uint32, calls int64, total int64, self int64. A span
 * that ended in the block has calls 1, total its duration, and self that less what ended inside it in the same block.
 * One that is open at the block's end has calls 0, total 0, and self less what ended inside it; no row where that is 0.
 * So sums over all blocks of a span are its time and its own time. Where a record between was lost, what was inside it
 * is taken from the nearest that is known in the block.
 *
 * Open async spans are those of the process that are open at a block's start, whatever the options, ascending by id
 * (unsigned): thread_number uint32 (of the thread that began it), begin ts, span_id int64, parent_span_id int64, depth
 * uint32, hash uint32, name D, filename D, target D, line uint32, properties D (as at the block's end).
 */
tachy_status tachy_reader_next(tachy_reader *reader, struct ArrowSchema *schema, struct ArrowArray *array,
                               uint64_t *block, int *more, tachy_read_error *error);

/* Call trees ------------------------------------------------------------------------------------------------------- */

/* Where the time of one process's threads went: the spans of many blocks, added up by the names on the way to them.
 * Blocks are added latest first, in the falling order of their sequence, so that a span comes before what it encloses;
 * holes are bridged. Only what lies in [begin_utc, end_utc] counts: a span that crosses a border is a call all the
 * same. Threads of one name are one tree. A span that is open at the end of a block and in none of the later ones
 * ends there. Where an enclosing span was lost, its calls stand under the nearest that is known. */
typedef struct tachy_calls tachy_calls;

/* `thread`: only the threads of this name, `size` bytes; NULL: all. Returns NULL when memory is short. */
tachy_calls *tachy_calls_new(int64_t begin_utc, int64_t end_utc, const char *thread, uint64_t size);
void tachy_calls_free(tachy_calls *calls);

/* The blocks from number *at on. After TACHY_ERROR_FORMAT block *at is not in the tree, and the next call goes on
 * behind it once *at has been raised. */
tachy_status tachy_calls_add(tachy_calls *calls, const tachy_blocks *blocks, uint64_t *at, tachy_read_error *error);

/* The nodes as a record batch, callers before what they call. Times are nanoseconds.
 *
 *   id           int64  from 1 on
 *   parent       int64  0: none
 *   depth        uint32
 *   thread_name  D
 *   name         D
 *   path         utf8   the names from the outermost on, joined by ";"
 *   calls        int64
 *   total        int64
 *   self         int64  total without the time in calls
 *   longest      int64  the longest call
 *   outermost    int64  total, of nodes that no node of the same name encloses; 0 for others: adds up by name
 *
 * TACHY_ERROR_FORMAT: there are more than 2^20 nodes, or their paths take more than 16 MiB. */
tachy_status tachy_calls_batch(const tachy_calls *calls, struct ArrowSchema *schema, struct ArrowArray *array,
                               tachy_read_error *error);

/* Distinct counts -------------------------------------------------------------------------------------------------- */

/* What SQL's make_hll, merge_hll and hll_cardinality are made of: how many different texts there are, to within 0.8 %
 * (standard error; up to 4,096 as good as exactly), as a sketch that can be merged with others in any order.
 *
 * A sketch is a byte, 1, and entries of 4 bytes, little-endian and ascending: the 26 highest bits of the text's XXH64,
 * each once, << 6 | the number of zeros with which the other 38 begin, + 1 (39: they are all 0), the highest there is.
 * Or, of more than 4,096 entries, a byte, 2, and 16,384 more, one for each value of the 14 highest bits: 1 + the zeros
 * with which the other 50 begin, the highest there is; 0: none. */
typedef struct tachy_hll tachy_hll;

typedef struct tachy_texts { /* values of an Arrow array of format "u" or "z" */
  const uint8_t *valid;      /* bits; NULL: all are */
  const int32_t *offsets;
  const uint8_t *bytes;
  uint64_t first; /* its offset */
  uint64_t count;
} tachy_texts;

/* NULL: out of memory. */
tachy_hll *tachy_hll_new(void);
void tachy_hll_free(tachy_hll *hll);
tachy_status tachy_hll_add(tachy_hll *hll, const tachy_texts *texts, tachy_read_error *error);

/* TACHY_ERROR_FORMAT, as of tachy_hll_counts: one of them is no sketch. */
tachy_status tachy_hll_merge(tachy_hll *hll, const tachy_texts *sketches, tachy_read_error *error);

/* The sketch, until the next call or it is freed. NULL: out of memory. */
const uint8_t *tachy_hll_bytes(tachy_hll *hll, uint64_t *size);

/* How many there are in each sketch; 0 where it is null. */
tachy_status tachy_hll_counts(const tachy_texts *sketches, int64_t *counts, tachy_read_error *error);

/* JSON ------------------------------------------------------------------------------------------------------------- */

/* What SQL's functions on properties and JSON are made of (RFC 8259; of an object's members with one name the last one
 * counts; half a surrogate pair is U+FFFD). */
typedef enum tachy_json_type { /* of a value */
                               TACHY_JSON_NULL,
                               TACHY_JSON_FALSE,
                               TACHY_JSON_TRUE,
                               TACHY_JSON_NUMBER,
                               TACHY_JSON_STRING,
                               TACHY_JSON_ARRAY,
                               TACHY_JSON_OBJECT
} tachy_json_type;

/* A path is steps, and a byte TACHY_JSON_END. A step is a byte, the size of its argument (4 bytes in the machine's
 * order) and the argument: a name, an index (4 bytes, from the end if negative), or a test. With TACHY_JSON_DEEP it is
 * taken from a value and from all that are in it. */
typedef enum tachy_json_step {
  TACHY_JSON_END,
  TACHY_JSON_NAME,             /* an object's member */
  TACHY_JSON_NAME_IN_ANY_CASE, /* the same, or one whose name has ASCII letters of another case */
  TACHY_JSON_AT,               /* an array's element */
  TACHY_JSON_GET,              /* a member, or the element whose index the name says */
  TACHY_JSON_ALL,              /* all members or elements */
  TACHY_JSON_FILTER,           /* the value itself, if the test holds */
  TACHY_JSON_DEEP = 16
} tachy_json_step;

/* A test is a byte and what it is of: how many tests (4 bytes) and these; one; an operand; or, where it compares, two
 * operands. */
typedef enum tachy_json_test {
  TACHY_JSON_OR,
  TACHY_JSON_AND,
  TACHY_JSON_NOT,
  TACHY_JSON_EXISTS,
  TACHY_JSON_EQUAL,
  TACHY_JSON_UNEQUAL,
  TACHY_JSON_LESS,
  TACHY_JSON_AT_MOST,
  TACHY_JSON_GREATER,
  TACHY_JSON_AT_LEAST
} tachy_json_test;

/* An operand is a byte, and a path from the value that is tested or from the document, or with TACHY_JSON_LITERAL + a
 * scalar's type its size (4 bytes) and a string's characters or what a number is written as. */
typedef enum tachy_json_operand { TACHY_JSON_THIS, TACHY_JSON_ROOT, TACHY_JSON_LITERAL } tachy_json_operand;

typedef struct tachy_json_query {
  const uint8_t *paths; /* one or more, valid */
  const int32_t *which; /* of each text, where its path begins; NULL: at 0 */
  uint32_t roots;       /* bits 1 << tachy_json_type: other texts have no answer */
  uint32_t most;        /* values of a text */
  int plain;            /* strings come out as their characters, not as JSON */
} tachy_json_query;

/* What the paths select of texts, as a record batch: key (utf8: a member's name; else a number from 0 on) and value
 * (utf8). lists[i] to lists[i + 1] are of text i (there is one more than texts); valid[i] says whether it has an
 * answer: it is not null, is JSON, and of such a root. TACHY_ERROR_FORMAT: the answers take more than 2 GiB. */
tachy_status tachy_json_select(const tachy_texts *texts, const tachy_json_query *query, int32_t *lists, uint8_t *valid,
                               struct ArrowSchema *schema, struct ArrowArray *array, tachy_read_error *error);

/* Of texts that are JSON numbers what they are (others are not valid): double, or `whole`, int64_t, of those that are
 * whole and fit. */
tachy_status tachy_json_numbers(const tachy_texts *texts, int whole, void *numbers, uint8_t *valid,
                                tachy_read_error *error);

/* Merging ---------------------------------------------------------------------------------------------------------- */

/* Blocks that follow each other, of one process and class, as one block: the same rows, gaps and open spans;
 * docs/format.md, "Merged blocks". Merged ones may be among them, and in whatever steps blocks are merged, the rows
 * that come out are the same. */

typedef struct tachy_merge_limits { /* of a merged block */
  uint64_t rows;                    /* gaps and async rows included */
  uint64_t raw_bytes;               /* of its body */
  uint64_t threads;
} tachy_merge_limits;

typedef struct tachy_merged tachy_merged;

/* Merges as many of the blocks, from number `first` on, as one block can stand for: *used of them. None is passed over.
 * The next one is the first of another where it is of another process or class, where a sequence is missing, the wall
 * clock was set, the counter began anew or the flight recorder left something out; where a thread has another name,
 * where a span that was open at its start was lost, and wherever else the merged block would say something else than
 * the blocks; and beyond the limits. A block that has nothing before it to be merged with, or cannot be read, comes out
 * as it is: *used is 1. Neither head nor body is checked against its hash. TACHY_ERROR_FORMAT: the first block's head
 * says nothing. */
tachy_status tachy_merge(const tachy_blocks *blocks, uint64_t first, const tachy_merge_limits *limits,
                         tachy_merged **merged, uint64_t *used, tachy_read_error *error);
void tachy_merged_free(tachy_merged *merged);

/* What came out, until it is freed: the head, and the body, not compressed. Both are a block once the head is sealed.
 */
void *tachy_merged_head(const tachy_merged *merged, uint64_t *size);
const void *tachy_merged_body(const tachy_merged *merged, uint64_t *size);

/* Where the body may be divided before it is compressed, as in tachy.h. The body may be anything. */
uint32_t tachy_body_parts(const void *body, uint64_t size, uint64_t *ends, uint32_t room);

/* Writes into a block's head how its body is stored, and both hashes. */
void tachy_block_seal(void *head, tachy_codec codec, const void *stored, uint64_t stored_size);

/* Block indexes ---------------------------------------------------------------------------------------------------- */

/* Where the blocks of a segment are and what their heads say, packed (docs/format.md, "Segments"). A segment ends with
 * its index, and PostgreSQL has a copy of it. */
typedef struct tachy_index tachy_index;

/* NULL: out of memory. */
tachy_index *tachy_index_new(void);
void tachy_index_free(tachy_index *index);

/* A process, which may come more than once; its blocks are those added until the next one. */
tachy_status tachy_index_process(tachy_index *index, const uint8_t process_id[16], tachy_read_error *error);

/* A block of the process, by its checked head (header and thread table; names need not be there). */
tachy_status tachy_index_block(tachy_index *index, const void *head, uint64_t head_size, uint64_t offset,
                               tachy_read_error *error);

/* The packed bytes, valid until the index is freed; nothing can be added any more. NULL: out of memory. */
const void *tachy_index_bytes(tachy_index *index, uint64_t *size);

typedef struct tachy_index_filter {
  uint32_t cls;      /* 0: all */
  uint32_t threads;  /* 1: a row for each thread of a block; 0: one for each block */
  int64_t begin_utc; /* only blocks that overlap [begin_utc, end_utc], both inclusive … */
  int64_t end_utc;
  uint64_t process_count; /* … whose ids are among these: 16 bytes each, ascending by their bytes; NULL: all */
  const uint8_t *process_ids;
  uint64_t stream_count; /* of a block's threads: one at least; of rows for each thread: exactly these */
  const uint8_t *stream_ids;
  uint64_t block_count;
  const uint8_t *block_ids;
  uint64_t limit; /* at most so many blocks; 0: all */
} tachy_index_filter;

/* The blocks of many indexes that satisfy the filter, as a record batch ordered by process, class and sequence. Of
 * blocks with the same identity only the one in the last of the indexes is there, and none whose events are all in
 * another one that was merged.
 *
 *   segment        int32   which of the indexes
 *   block_id       w:16
 *   process_id     w:16
 *   class          int32
 *   codec          int32
 *   sequence       int64
 *   sequences      int64   how many the block stands for: of one that was merged from others
 *   offset         int64   in the segment
 *   size           int64   with padding
 *   header_size    int64
 *   raw_size       int64
 *   stored_size    int64
 *   begin_time, end_time    int64   UTC nanoseconds
 *   begin_ticks, end_ticks  int64
 *   events         int64
 *   dropped        int64
 *   hash           int64   header_hash
 *   streams        int64   threads in the block
 *
 * With `threads` the ids are text, and there are also:
 *
 *   thread         int64   number
 *   stream_id      utf8
 *   position       int64   in the block's thread table, from 0
 *   before         int64   events of the threads before it in the table
 *   stream_events  int64
 *   first          int64   events of the stream before the block
 *   stream_begin_time, stream_end_time, stream_begin_ticks, stream_end_ticks   int64
 */
tachy_status tachy_index_select(uint64_t count, const void *const *indexes, const uint64_t *sizes,
                                const tachy_index_filter *filter, struct ArrowSchema *schema, struct ArrowArray *array,
                                tachy_read_error *error);

/* Perfetto --------------------------------------------------------------------------------------------------------- */

/* One trace. Packets are appended to a buffer that the caller empties as he goes, so a trace of any length needs the
 * memory of a block, of what is interned, and of the process's async spans.
 *
 * Blocks of a process and class are added in the order of their sequence; holes are bridged. Per thread one packet
 * sequence, one slice track; timestamps are UTC nanoseconds (in the trace's default clock), never decreasing within a
 * sequence. Slices that were open before the first block begin where they began; those that are open after the last one
 * end at `end_utc` of tachy_perfetto_finish, annotated is_open; those whose end was lost (a gap, a missing block) end
 * at the last moment they are known to have been open, annotated end_lost. Async spans are put on lanes (tracks named
 * after their target) in which they nest, at finish, annotated is_open or begin_lost where a half is missing, a flow
 * leading from a span to its children on other lanes; those that were open before the first block begin where they
 * began; counters on one track per process, metric name, target, unit and property set; of thread slices that nest
 * deeper than 512 (trace processors know no more) the first 512 are written, an instant (category "too_deep") says how
 * many were not; logs are instants on their thread's track (category "log"); frame marks slices on tracks "Frames";
 * lost events instants on their thread's track (category "lost", "12 spans lost").
 *
 * The encoder writes the descriptors of threads (when their first block comes), lanes, counters and frames. The
 * caller's are the head packets, clocks and processes, on packet sequences 1 … 15, before the first block; the uuid and
 * the pid that a process's descriptor must carry are below. */
typedef struct tachy_perfetto tachy_perfetto;

tachy_perfetto *tachy_perfetto_new(void);
void tachy_perfetto_free(tachy_perfetto *trace);

/* Only what overlaps [begin_utc, end_utc] is written (a slice that overlaps is written whole). */
void tachy_perfetto_range(tachy_perfetto *trace, int64_t begin_utc, int64_t end_utc);

/* Which spans of the blocks are written: those of threads, async ones. Both unless this says otherwise. */
void tachy_perfetto_spans(tachy_perfetto *trace, int thread_spans, int async_spans);

/* Announces a process before its first block, with its real pid or 0; returns the pid that the trace uses for it, which
 * is no other process's: the real one where that is free, else a positive number derived from the uuid. 0: out of
 * memory. A process that is not announced gets a derived one. */
int32_t tachy_perfetto_process(tachy_perfetto *trace, const uint8_t process_id[16], int32_t pid);

/* A block, in parts: it is checked and decoded, then each call of tachy_perfetto_next writes a part of some MiB, to be
 * taken before the next one. A part ends between logs, metrics, or the spans of two threads. `head` and `body` must
 * outlive the last part, that with *more = 0. A block that fails in tachy_perfetto_start with TACHY_ERROR_FORMAT leaves
 * the trace as it was. After a failure in writing (out of memory) every further call fails and nothing more is to be
 * taken. */
tachy_status tachy_perfetto_start(tachy_perfetto *trace, const void *head, uint64_t head_size, const void *body,
                                  uint64_t body_size, tachy_read_error *error);
tachy_status tachy_perfetto_next(tachy_perfetto *trace, int *more, tachy_read_error *error);

/* The blocks from number *at on, until there are some MiB to be taken: the next call goes on with block *at, and with
 * that behind it once *at has been raised after TACHY_ERROR_FORMAT. *at is their count after the last one. */
tachy_status tachy_perfetto_write(tachy_perfetto *trace, const tachy_blocks *blocks, uint64_t *at,
                                  tachy_read_error *error);

/* Ends what is open, writes the async spans and forgets the blocks of all processes. Call it after the last block; or
 * after each process's last block, so that only one process is held: others may follow. */
tachy_status tachy_perfetto_finish(tachy_perfetto *trace, int64_t end_utc, tachy_read_error *error);

/* The bytes since the last call, valid until the next call on this trace. */
const void *tachy_perfetto_take(tachy_perfetto *trace, uint64_t *size);

typedef struct tachy_perfetto_counts {
  uint64_t slices; /* of thread tracks */
  uint64_t async;
  uint64_t counters;
  uint64_t instants;
  uint64_t frames;
  uint64_t losses;   /* marks of lost events */
  uint64_t too_deep; /* slices of thread tracks that were left out because more than 512 enclose them */
} tachy_perfetto_counts;
void tachy_perfetto_get_counts(const tachy_perfetto *trace, tachy_perfetto_counts *counts);

/* What the caller's descriptors refer to. */
uint64_t tachy_perfetto_process_uuid(const uint8_t process_id[16]);
uint64_t tachy_perfetto_thread_uuid(const uint8_t process_id[16], uint32_t thread);

#ifdef __cplusplus
}
#endif
#endif
