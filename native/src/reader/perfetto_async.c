/* Async spans are collected while blocks come in, begins and ends in any order; perfetto_lanes.c lays them out. */
#include <stdlib.h>

#include "perfetto_trace.h"

static tachy_text part(const char *bytes, uint32_t size) { return (tachy_text){bytes, size}; }

tachy_text perfetto_async_name(const perfetto_async_site *s) { return part(s->text, s->name_size); }

tachy_text perfetto_async_target(const perfetto_async_site *s) { return part(s->text + s->name_size, s->target_size); }

tachy_text perfetto_async_file(const perfetto_async_site *s) {
  return part(s->text + s->name_size + s->target_size, s->file_size);
}

static uint32_t cut(uint64_t size) { return size < PROTO_TEXT_MAX + 4 ? (uint32_t)size : PROTO_TEXT_MAX + 4; }

/* Index + 1 of the process's copy of the site; 0: out of memory. */
static uint32_t copy_site(const perfetto_scope *scope, uint32_t site) {
  perfetto_process *const p = scope->process;
  const perfetto_site_cache *const cache = perfetto_site_hashes(scope, site);
  int added;
  const uint64_t key = cache->location_hash ^ tachy_mix64(cache->target_hash) ^ tachy_mix64(cache->name_hash + 1);
  uint32_t *const index = perfetto_map_at(&p->async_site_by_hash, key, &added);
  if (!index || *index) return index ? *index : 0;
  if (!perfetto_reserve((void **)&p->async_sites, &p->async_site_capacity, p->async_site_count,
                        sizeof *p->async_sites)) {
    return 0;
  }
  const tachy_site_row *const row = scope->block->sites + site;
  const tachy_text *const strings = scope->block->strings;
  const tachy_text texts[3] = {strings[row->name], strings[row->target], strings[row->file]};
  perfetto_async_site copy = {.name_size = cut(texts[0].size),
                              .target_size = cut(texts[1].size),
                              .file_size = cut(texts[2].size),
                              .line = row->line};
  const uint32_t sizes[3] = {copy.name_size, copy.target_size, copy.file_size};
  copy.text = malloc((size_t)sizes[0] + sizes[1] + sizes[2] + 1);
  if (!copy.text) return 0;
  char *at = copy.text;
  for (int i = 0; i < 3; i++) {
    if (sizes[i]) memcpy(at, texts[i].bytes, sizes[i]);
    at += sizes[i];
  }
  p->async_sites[p->async_site_count++] = copy;
  return *index = (uint32_t)p->async_site_count;
}

/* The span that this begin (or end) completes, or that is `known` to be open; else a new one. An end may come before
 * its begin: threads are listed one after the other in a block. */
static perfetto_async *span_of(perfetto_process *p, uint64_t id, int is_end, int known) {
  int added;
  uint32_t *const index = perfetto_map_at(&p->async_by_id, id, &added);
  if (!index) return NULL;
  if (*index) {
    perfetto_async *const span = p->async + *index - 1;
    if (known || !(is_end ? span->has_end : span->has_begin)) return span;
  }
  if (!perfetto_reserve((void **)&p->async, &p->async_capacity, p->async_count, sizeof *p->async)) return NULL;
  perfetto_async *const span = p->async + p->async_count;
  memset(span, 0, sizeof *span);
  *index = (uint32_t)++p->async_count;
  return span;
}

/* Its newest values: those of its end, or of the newest block in which it is open. */
static int give(const perfetto_scope *scope, perfetto_async *span, uint64_t owner) {
  const tachy_value_range range = tachy_values_of(scope->block, owner);
  return !range.count || perfetto_given_set(&span->given, scope->block, range);
}

int perfetto_add_async(const perfetto_scope *scope, const tachy_rows *rows) {
  for (uint64_t i = 0; i < rows->count; i++) {
    const int was_open = !rows->kind;
    const int is_end = !was_open && rows->kind[i];
    perfetto_async *const span = span_of(scope->process, rows->id[i], is_end, was_open);
    if (!span) return 0;
    if (!was_open || !span->has_begin) {
      const uint32_t site = copy_site(scope, rows->site[i]);
      if (!site) return 0;
      span->id = rows->id[i];
      span->parent = rows->parent[i];
      span->site = site - 1;
      span->depth = rows->depth[i];
      *(is_end ? &span->end : &span->begin) = rows->utc[i];
      *(is_end ? &span->has_end : &span->has_begin) = 1;
    }
    if (rows->owner && !give(scope, span, rows->owner[i])) return 0;
  }
  return 1;
}
