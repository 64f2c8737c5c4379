/* Interned names, categories, source locations and annotations of a packet sequence.
 *
 * The 64-bit hash of a text stands for the text: nothing is copied, and a collision could only show a sender one of his
 * own names under another's number.
 */
#include "perfetto_trace.h"

enum { KIND_SHIFT = 56 };

static uint64_t text_hash(tachy_text text) { return tachy_hash(text.bytes, text.size); }

/* 0: out of memory. `added` says that the sequence has to define it. */
static uint32_t iid_of(perfetto_sequence *sequence, uint64_t kind, uint64_t hash, int *added) {
  uint32_t *const iid = perfetto_map_at(&sequence->interned, tachy_mix64(hash + (kind << KIND_SHIFT)), added);
  if (!iid) return 0;
  if (*added) *iid = sequence->next_iid++;
  return *iid;
}

typedef struct opened_packet {
  uint64_t packet;
  uint64_t data;
} opened_packet;

static opened_packet open_data(tachy_perfetto *trace, const perfetto_sequence *sequence) {
  opened_packet opened;
  opened.packet = perfetto_packet(trace, sequence);
  proto_varint(&trace->out, PACKET_SEQUENCE_FLAGS, SEQUENCE_NEEDS_STATE);
  opened.data = proto_open(&trace->out, PACKET_INTERNED_DATA);
  return opened;
}

static void close_data(tachy_perfetto *trace, opened_packet opened) {
  proto_close(&trace->out, opened.data);
  proto_close(&trace->out, opened.packet);
}

static void define_text(proto_buffer *out, uint32_t kind, uint32_t iid, tachy_text text) {
  const uint64_t entry = proto_open(out, kind);
  proto_varint(out, ENTRY_IID, iid);
  proto_text(out, ENTRY_TEXT, text.bytes, text.size, PROTO_TEXT_MAX);
  proto_close(out, entry);
}

typedef struct site_texts {
  tachy_text name;
  tachy_text target;
  tachy_text file;
  uint32_t line;
} site_texts;

static void hash_texts(const site_texts *s, perfetto_site_cache *hashes) {
  hashes->name_hash = text_hash(s->name);
  hashes->target_hash = text_hash(s->target);
  hashes->location_hash = tachy_mix64(text_hash(s->file) + s->line) ^ hashes->name_hash;
}

static int intern(tachy_perfetto *trace, perfetto_sequence *sequence, const site_texts *s,
                  const perfetto_site_cache *hashes, perfetto_iids *iids) {
  int name_added = 0, category_added = 0, location_added = 0;
  memset(iids, 0, sizeof *iids);
  if (s->name.size) {
    iids->name = iid_of(sequence, INTERNED_NAME, hashes->name_hash, &name_added);
    if (!iids->name) return 0;
  }
  if (s->target.size) {
    iids->category = iid_of(sequence, INTERNED_CATEGORY, hashes->target_hash, &category_added);
    if (!iids->category) return 0;
  }
  if (s->file.size) {
    iids->location = iid_of(sequence, INTERNED_LOCATION, hashes->location_hash, &location_added);
    if (!iids->location) return 0;
  }
  if (!(name_added | category_added | location_added)) return 1;
  proto_buffer *const out = &trace->out;
  const opened_packet opened = open_data(trace, sequence);
  if (category_added) define_text(out, INTERNED_CATEGORY, iids->category, s->target);
  if (name_added) define_text(out, INTERNED_NAME, iids->name, s->name);
  if (location_added) {
    const uint64_t entry = proto_open(out, INTERNED_LOCATION);
    proto_varint(out, ENTRY_IID, iids->location);
    proto_text(out, ENTRY_TEXT, s->file.bytes, s->file.size, PROTO_TEXT_MAX);
    if (s->name.size) proto_text(out, LOCATION_FUNCTION, s->name.bytes, s->name.size, PROTO_TEXT_MAX);
    proto_varint(out, LOCATION_LINE, s->line);
    proto_close(out, entry);
  }
  close_data(trace, opened);
  return 1;
}

static site_texts texts_of(const perfetto_scope *scope, uint32_t site) {
  const tachy_site_row *const row = scope->block->sites + site;
  const tachy_text *const strings = scope->block->strings;
  return (site_texts){strings[row->name], strings[row->target], strings[row->file], row->line};
}

perfetto_site_cache *perfetto_site_hashes(const perfetto_scope *scope, uint32_t site) {
  perfetto_site_cache *const cache = scope->sites + site;
  const site_texts texts = texts_of(scope, site);
  if (!cache->name_hash) hash_texts(&texts, cache);
  return cache;
}

int perfetto_intern_site(const perfetto_scope *scope, perfetto_sequence *sequence, uint32_t site, perfetto_iids *iids) {
  const site_texts texts = texts_of(scope, site);
  return intern(scope->trace, sequence, &texts, perfetto_site_hashes(scope, site), iids);
}

int perfetto_intern_texts(tachy_perfetto *trace, perfetto_sequence *sequence, tachy_text name, tachy_text target,
                          tachy_text file, uint32_t line, perfetto_iids *iids) {
  const site_texts texts = {name, target, file, line};
  perfetto_site_cache hashes;
  hash_texts(&texts, &hashes);
  return intern(trace, sequence, &texts, &hashes, iids);
}

uint32_t perfetto_intern_text(tachy_perfetto *trace, perfetto_sequence *sequence, uint32_t kind, tachy_text text) {
  int added;
  const uint32_t iid = iid_of(sequence, kind, text_hash(text), &added);
  if (!iid || !added) return iid;
  const opened_packet opened = open_data(trace, sequence);
  define_text(&trace->out, kind, iid, text);
  close_data(trace, opened);
  return iid;
}
