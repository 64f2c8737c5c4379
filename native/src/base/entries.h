/* The public functions that work on what a process has once: sessions, sites, threads, batches.
 *
 * A process may hold several copies of the recorder, one in each of its modules that links it statically. One of them
 * records; api.c makes of every line here a public function tachy_NAME that finds that copy and calls its
 * tachy_own_NAME, which the rooms below define. Nobody but api.c calls the public ones.
 *
 * Who includes this says what is made of a line: ANSWERS (type, name, parameters, arguments, what it answers where its
 * copy may not record), DOES for functions that answer nothing, RECORDS and RECORDS_AND_ANSWERS for those that may give
 * the calling thread its slot, SPECIAL for those that api.c writes out by hand. */
#ifndef TACHY_SRC_BASE_ENTRIES_H
#define TACHY_SRC_BASE_ENTRIES_H

#include <tachy/tachy.h>

#define TACHY_ENTRIES(ANSWERS, DOES, RECORDS_AND_ANSWERS, RECORDS, SPECIAL)                                           \
  ANSWERS(tachy_status, start, (const tachy_config *config), (config), TACHY_ERROR_STATE)                             \
  DOES(stop, (uint32_t timeout_ms), (timeout_ms))                                                                     \
  ANSWERS(int, flush, (uint32_t timeout_ms), (timeout_ms), 0)                                                         \
  ANSWERS(uint64_t, flush_begin, (uint32_t timeout_ms), (timeout_ms), 0)                                              \
  ANSWERS(int, flush_wait, (uint64_t flush, uint32_t timeout_ms), (flush, timeout_ms), 0)                             \
  DOES(stop_recording, (void), ())                                                                                    \
  SPECIAL(void, get_stats, (tachy_stats * stats))                                                                     \
  ANSWERS(int, forking, (void), (), 0)                                                                                \
  DOES(mark, (const char *reason), (reason))                                                                          \
  DOES(set_process_property, (const char *key, const char *value), (key, value))                                      \
  DOES(set_crash_kind, (tachy_crash_kind kind), (kind))                                                               \
  DOES(set_thread_name, (const char *name), (name))                                                                   \
  DOES(set_level, (tachy_level level), (level))                                                                       \
  DOES(set_category, (const char *category, tachy_level level), (category, level))                                    \
  DOES(unset_category, (const char *category), (category))                                                            \
  DOES(set_class, (tachy_class cls, int on), (cls, on))                                                               \
  DOES(set_mode, (tachy_mode mode), (mode))                                                                           \
  DOES(control, (const char *text), (text))                                                                           \
  ANSWERS(tachy_status, recover, (const char *folder, tachy_recovery *found), (folder, found), TACHY_ERROR_STATE)     \
  SPECIAL(int32_t, site_register_, (tachy_site * site))                                                               \
  ANSWERS(tachy_site *, site_intern,                                                                                  \
          (tachy_site_kind kind, tachy_level level, const char *target, const char *name, const char *file,           \
           uint32_t line, const char *unit),                                                                          \
          (kind, level, target, name, file, line, unit), NULL)                                                        \
  ANSWERS(uint32_t, property_set, (const tachy_property *pairs, size_t count), (pairs, count), 0)                     \
  ANSWERS(uint64_t, ticks_of, (int64_t utc_ns), (utc_ns), tachy_ticks())                                              \
  RECORDS_AND_ANSWERS(uint32_t, span_begin_slow_, (int32_t id), (id), 0)                                              \
  DOES(span_close_slow_, (tachy_thread * thread, uint32_t scope, uint64_t now), (thread, scope, now))                 \
  RECORDS(span_end_rare_, (int32_t scope), (scope))                                                                   \
  RECORDS(span_complete, (tachy_site * site, uint64_t begin_ticks, uint64_t end_ticks),                               \
          (site, begin_ticks, end_ticks))                                                                             \
  RECORDS(span_value_slow_, (tachy_scope scope, int32_t id, uint32_t type, uint64_t bits), (scope, id, type, bits))   \
  RECORDS(span_value_text, (tachy_scope scope, tachy_site * site, const char *text, size_t size),                     \
          (scope, site, text, size))                                                                                  \
  RECORDS(async_value_, (tachy_async * span, tachy_site * site, uint32_t type, uint64_t bits),                        \
          (span, site, type, bits))                                                                                   \
  RECORDS(async_value_text, (tachy_async * span, tachy_site * site, const char *text, size_t size),                   \
          (span, site, text, size))                                                                                   \
  SPECIAL(tachy_async, async_begin, (tachy_site * site, const tachy_async *parent))                                   \
  RECORDS(async_end, (const tachy_async *span), (span))                                                               \
  RECORDS(metric_slow_, (int32_t id, uint32_t set, uint64_t value), (id, set, value))                                 \
  RECORDS(metric_beyond_, (tachy_site * site, uint32_t set, double value), (site, set, value))                        \
  RECORDS(metric_at, (tachy_site * site, uint32_t set, uint64_t ticks, uint64_t value_bits),                          \
          (site, set, ticks, value_bits))                                                                             \
  RECORDS(frame_slow_, (int32_t id), (id))                                                                            \
  SPECIAL(tachy_thread *, log_begin_slow_, (int32_t id, uint32_t set, uint32_t types, uint64_t size))                 \
  DOES(log_urges_, (void), ())                                                                                        \
  SPECIAL(void, log_text, (tachy_site * site, uint32_t set, const char *text, size_t size))                           \
  RECORDS(log_args, (tachy_site * site, uint32_t set, uint32_t types, const uint64_t *values, const uint32_t *sizes), \
          (site, set, types, values, sizes))                                                                          \
  DOES(log_text_at,                                                                                                   \
       (tachy_site * site, uint32_t set, uint64_t ticks, const char *thread, const char *text, size_t size),          \
       (site, set, ticks, thread, text, size))                                                                        \
  DOES(image, (const char *name, const char *format, const void *bytes, size_t size), (name, format, bytes, size))    \
  ANSWERS(uint64_t, sender_begin, (uint32_t timeout_ms), (timeout_ms), 0)                                             \
  DOES(sender_end, (uint64_t turn), (turn))                                                                           \
  DOES(sender_compresses, (uint64_t turn, tachy_codec codec, tachy_compressor * compress, void *context),             \
       (turn, codec, compress, context))                                                                              \
  SPECIAL(tachy_batch *, batch_take, (uint32_t timeout_ms, int *ended))                                               \
  ANSWERS(tachy_batch *, batch_take_raw, (void), (), NULL)                                                            \
  DOES(batch_moves, (void), ())                                                                                       \
  ANSWERS(uint32_t, batch_block_count, (const tachy_batch *batch), (batch), 0)                                        \
  ANSWERS(const void *, batch_body, (const tachy_batch *batch, uint32_t block, uint64_t *size), (batch, block, size), \
          NULL)                                                                                                       \
  ANSWERS(tachy_codec, batch_codec, (const tachy_batch *batch, uint32_t block), (batch, block), TACHY_CODEC_NONE)     \
  ANSWERS(tachy_status, batch_replace,                                                                                \
          (tachy_batch * batch, uint32_t block, tachy_codec codec, const void *bytes, uint64_t size),                 \
          (batch, block, codec, bytes, size), TACHY_ERROR_STATE)                                                      \
  ANSWERS(const void *, batch_bytes, (tachy_batch * batch, uint64_t * size), (batch, size), NULL)                     \
  ANSWERS(const uint8_t *, batch_id, (const tachy_batch *batch), (batch), NULL)                                       \
  DOES(batch_done, (tachy_batch * batch, tachy_outcome outcome), (batch, outcome))

/* What the rooms define. */
#define TACHY_OWN_ANSWER_(type, name, parameters, arguments, otherwise) type tachy_own_##name parameters;
#define TACHY_OWN_DEED_(name, parameters, arguments) void tachy_own_##name parameters;
#define TACHY_OWN_SPECIAL_(type, name, parameters) type tachy_own_##name parameters;
TACHY_ENTRIES(TACHY_OWN_ANSWER_, TACHY_OWN_DEED_, TACHY_OWN_ANSWER_, TACHY_OWN_DEED_, TACHY_OWN_SPECIAL_)

#endif
