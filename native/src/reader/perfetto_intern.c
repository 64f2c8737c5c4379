/* Interned names, categories, source locations and annotations of a packet sequence.
 *
 * The 64-bit hash of a text stands for the text: nothing is copied, and a collision could only show a sender one of his
 * own names under another's number.
 */
#include "perfetto_trace.h"

enum { KIND_SHIFT = 56 };

static uint64_t text_hash(tachy_text text) { return tachy_hash(text.bytes, text.size); }

/* 0: out of memory. `added` says that the sequence has to define it. */
static uint32_t iid_of(tachy_perfetto *trace, perfetto_sequence *sequence, uint64_t kind, uint64_t hash, int *added) {
  const uint64_t key = tachy_mix64(hash + (kind << KIND_SHIFT));
  uint32_t *const iid = tachy_map_at(&sequence->interned, trace->seed, key, added);
  if (!iid) {
    perfetto_fail(trace);
    *added = 0;
    return 0;
  }
  if (*added) *iid = sequence->next_iid++;
  return *iid;
}

static uint32_t intern(tachy_perfetto *trace, perfetto_sequence *sequence, uint32_t kind, uint64_t hash,
                       tachy_text text) {
  int added;
  const uint32_t iid = iid_of(trace, sequence, kind, hash, &added);
  if (!added) return iid;
  proto_open(&trace->interned, kind);
  proto_varint(&trace->interned, ENTRY_IID, iid);
  proto_text(&trace->interned, ENTRY_TEXT, text.bytes, text.size, PROTO_TEXT_MAX);
  proto_close(&trace->interned);
  return iid;
}

static void intern_location(tachy_perfetto *trace, perfetto_sequence *sequence, const perfetto_texts *texts,
                            uint64_t hash, perfetto_iids *iids) {
  proto_buffer *const out = &trace->interned;
  int added;
  iids->location = iid_of(trace, sequence, INTERNED_LOCATION, hash, &added);
  if (!added) return;
  proto_open(out, INTERNED_LOCATION);
  proto_varint(out, ENTRY_IID, iids->location);
  proto_text(out, ENTRY_TEXT, texts->file.bytes, texts->file.size, PROTO_TEXT_MAX);
  if (texts->name.size) proto_text(out, LOCATION_FUNCTION, texts->name.bytes, texts->name.size, PROTO_TEXT_MAX);
  proto_varint(out, LOCATION_LINE, texts->line);
  proto_close(out);
}

static void hash_texts(const perfetto_texts *texts, perfetto_site_cache *hashes) {
  hashes->name_hash = text_hash(texts->name);
  hashes->target_hash = text_hash(texts->target);
  hashes->location_hash = tachy_mix64(text_hash(texts->file) + texts->line) ^ hashes->name_hash;
}

static void intern_texts(tachy_perfetto *trace, perfetto_sequence *sequence, const perfetto_texts *texts,
                         const perfetto_site_cache *hashes, perfetto_iids *iids) {
  *iids = (perfetto_iids){0, 0, 0};
  if (texts->name.size) iids->name = intern(trace, sequence, INTERNED_NAME, hashes->name_hash, texts->name);
  if (texts->target.size) {
    iids->category = intern(trace, sequence, INTERNED_CATEGORY, hashes->target_hash, texts->target);
  }
  if (texts->file.size) intern_location(trace, sequence, texts, hashes->location_hash, iids);
  if (!trace->interned.size) return;
  proto_open(&trace->out, TRACE_PACKET);
  proto_varint(&trace->out, PACKET_SEQUENCE_ID, sequence->id);
  perfetto_end(trace);
}

perfetto_texts perfetto_texts_of(const tachy_block *block, uint32_t site) {
  const tachy_site_row *const row = block->sites + site;
  const tachy_text *const strings = block->strings;
  return (perfetto_texts){strings[row->name], strings[row->target], strings[row->file], row->line};
}

perfetto_site_cache *perfetto_site_hashes(const perfetto_scope *scope, uint32_t site) {
  perfetto_site_cache *const cache = scope->sites + site;
  const perfetto_texts texts = perfetto_texts_of(scope->block, site);
  if (!cache->name_hash) hash_texts(&texts, cache);
  return cache;
}

void perfetto_intern_site(const perfetto_scope *scope, perfetto_sequence *sequence, uint32_t site,
                          perfetto_iids *iids) {
  const perfetto_texts texts = perfetto_texts_of(scope->block, site);
  intern_texts(scope->trace, sequence, &texts, perfetto_site_hashes(scope, site), iids);
}

void perfetto_intern_texts(tachy_perfetto *trace, perfetto_sequence *sequence, const perfetto_texts *texts,
                           perfetto_iids *iids) {
  perfetto_site_cache hashes;
  hash_texts(texts, &hashes);
  intern_texts(trace, sequence, texts, &hashes, iids);
}

uint32_t perfetto_intern_text(tachy_perfetto *trace, perfetto_sequence *sequence, uint32_t kind, tachy_text text) {
  return intern(trace, sequence, kind, text_hash(text), text);
}
