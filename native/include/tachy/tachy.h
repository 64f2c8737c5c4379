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

#include "format.h"
#include "status.h"

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
  uint64_t write_bytes;    /* the most that is written into those files in any five minutes, as some consoles demand;
                              beyond it batches wait in memory alone, and die with the process. The session file is
                              mapped and does not count. Default: as much as there is */
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
 * with them. Returns 1 if it is, 0 on timeout, when stopped, or when something had to be dropped meanwhile because too
 * much waited, or was refused by the server. */
TACHY_EXPORT int tachy_flush(uint32_t timeout_ms);

/* tachy_flush and tachy_stop in halves, for a host that has something else to do now and then while it waits (a
 * language whose signal handlers run between calls).
 *
 * tachy_flush_begin cuts the blocks, in at most timeout_ms, and returns what tachy_flush_wait is to wait for; 0: no
 * session records. tachy_flush_wait may be called again and again: 0 says that the sender is not done yet, 1 that it
 * is, -1 that nothing waits any more, but something was dropped or refused. With TACHY_FLUSH_ALL it waits until the
 * sender is done with everything; once recording has been stopped, no longer than tachy_stop would.
 * tachy_stop_recording is what tachy_stop does before it waits; tachy_stop must follow. */
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
  uint64_t compressor_ns;     /* of this: in what tachy_sender_compresses was given */
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

/* A batch belongs to who took it until tachy_batch_done. One thread at a time. A sender that brings no compressor
 * (tachy_sender_compresses) takes what tachy_batch_take_raw gives in its pauses, while the server is away, compresses
 * it and hands it back with TACHY_RETRY, so that more fits into the session folder. */
typedef struct tachy_batch tachy_batch;

/* Where several parts of a program have joined one session and bring a sender each, one of them sends, and the next one
 * when it has ended. tachy_sender_begin waits at most timeout_ms for its turn, and returns what tachy_sender_end takes;
 * 0: another sends still. tachy_sender_end may be called on any thread, also while the sender waits: that ends its
 * wait, here or in tachy_batch_take. Ignored beyond that: 0, and what has ended already. So whoever stops a sender's
 * thread calls it, and the thread at its end, for its turn may have come after that. A program with one sender needs
 * neither. */
TACHY_EXPORT uint64_t tachy_sender_begin(uint32_t timeout_ms);
TACHY_EXPORT void tachy_sender_end(uint64_t turn);

/* Compresses `size` bytes into `room`, which is less, and returns how many it wrote; 0 where that is not enough, or
 * there is no memory: then the body stays as it is. */
typedef uint64_t tachy_compressor(void *context, const void *body, uint64_t size, void *to, uint64_t room);

/* From now on, until this turn ends, the bodies of new batches are compressed as soon as they are made, before they lie
 * in a file. That is on the collector's thread: `compress` is not to record, to wait for a thread that may be in
 * tachy_sender_end, or to call a public function but tachy_body_parts. It has returned, and is not called again, once
 * tachy_sender_end has returned, or another call of this; so neither may be called where the system has ended all other
 * threads, as Windows does before a library's last destructors. NULL: none, whatever the codec. Ignored where it is not
 * this sender's turn. */
TACHY_EXPORT void tachy_sender_compresses(uint64_t turn, tachy_codec codec, tachy_compressor *compress, void *context);

/* Waits at most timeout_ms for a batch. NULL: none yet. *ended is set to 1 once the session has stopped and nothing
 * will come any more (ended may be NULL). */
TACHY_EXPORT tachy_batch *tachy_batch_take(uint32_t timeout_ms, int *ended);

/* The server is there, or has taken some more of the batch that is out: a tachy_stop that waits for it goes on waiting.
 * Once a try has ended with TACHY_RETRY, what moved in it does not count. */
TACHY_EXPORT void tachy_batch_moves(void);

/* A batch that waits and whose blocks nobody could compress yet, neither a sender nor its compressor, or NULL, at once.
 */
TACHY_EXPORT tachy_batch *tachy_batch_take_raw(void);

TACHY_EXPORT uint32_t tachy_batch_block_count(const tachy_batch *batch);
/* The body of a block, in the form that tachy_batch_codec says. */
TACHY_EXPORT const void *tachy_batch_body(const tachy_batch *batch, uint32_t block, uint64_t *size);
/* Ends of the parts of an uncompressed body that a compressor with codes of its own for each (zstd, a block of which
 * ends where it is flushed) makes smaller: columns, and bytes of one significance in them. The last one is `size`.
 * Returns how many, at most `room`, which is at least 1; TACHY_BODY_PARTS_MAX are enough. */
TACHY_EXPORT uint32_t tachy_body_parts(const void *body, uint64_t size, uint64_t *ends, uint32_t room);
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

#include "hot.h"
#if defined(TACHY_OS_HOST)
#include "host.h"
#endif

#endif
