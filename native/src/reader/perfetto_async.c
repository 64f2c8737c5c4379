/* Async spans are collected while blocks come in, begins and ends in any order; perfetto_lanes.c lays them out. */
#include <stdlib.h>

#include "perfetto_trace.h"

static uint64_t cut(uint64_t size) { return size < PROTO_TEXT_MAX + 4 ? size : PROTO_TEXT_MAX + 4; }

static tachy_text copy_text(char **at, tachy_text text) {
  const tachy_text copy = {*at, cut(text.size)};
  if (copy.size) memcpy(*at, text.bytes, copy.size);
  *at += copy.size;
  return copy;
}

/* The index of the process's copy of the site. */
static uint32_t copy_site(const perfetto_scope *scope, uint32_t site) {
  perfetto_process *const p = scope->process;
  perfetto_site_cache *const cache = perfetto_site_hashes(scope, site);
  if (cache->copy) return cache->copy - 1;
  const uint64_t key = cache->location_hash ^ tachy_mix64(cache->target_hash) ^ tachy_mix64(cache->name_hash + 1);
  int is_new;
  perfetto_async_site *const copy =
      perfetto_find(scope->trace, &p->async_site_by_hash, key, &p->async_sites, sizeof *p->async_sites.items, &is_new);
  if (!copy) return 0;
  if (is_new) {
    const perfetto_texts texts = perfetto_texts_of(scope->block, site);
    char *at = copy->memory = malloc(cut(texts.name.size) + cut(texts.target.size) + cut(texts.file.size) + 1);
    if (!at) {
      perfetto_fail(scope->trace);
    } else {
      copy->texts.name = copy_text(&at, texts.name);
      copy->texts.target = copy_text(&at, texts.target);
      copy->texts.file = copy_text(&at, texts.file);
    }
    copy->texts.line = texts.line;
  }
  cache->copy = (uint32_t)(copy - p->async_sites.items) + 1;
  return cache->copy - 1;
}

/* The span that this begin (or end) completes, or that is `known` to be open; else a new one. An end may come before
 * its begin: threads are listed one after the other in a block. NULL: out of memory. */
static perfetto_async *span_of(tachy_perfetto *trace, perfetto_process *p, uint64_t id, int is_end, int known) {
  int added;
  uint32_t *const index = tachy_map_at(&p->async_by_id, trace->seed, id, &added);
  if (!index) perfetto_fail(trace);
  if (index && *index) {
    perfetto_async *const span = p->async.items + *index - 1;
    if (known || !(is_end ? span->has_end : span->has_begin)) return span;
  }
  perfetto_async *const span = index ? perfetto_add(trace, &p->async, sizeof *span) : NULL;
  if (span) *index = (uint32_t)p->async.count;
  return span;
}

void perfetto_add_async(const perfetto_scope *scope, const tachy_rows *rows) {
  for (uint64_t i = 0; i < rows->count; i++) {
    const int was_open = !rows->kind;
    const int is_end = !was_open && rows->kind[i];
    perfetto_async *const span = span_of(scope->trace, scope->process, rows->id[i], is_end, was_open);
    if (!span) return;
    if (!was_open || !span->has_begin) {
      span->id = rows->id[i];
      span->parent = rows->parent[i];
      span->site = copy_site(scope, rows->site[i]);
      span->depth = rows->depth[i];
      *(is_end ? &span->end : &span->begin) = rows->utc[i];
      *(is_end ? &span->has_end : &span->has_begin) = 1;
    }
    if (!rows->owner) continue; /* else the newest values: of the end, or of the newest block in which it is open */
    const tachy_value_range range = tachy_values_of(scope->block, rows->owner[i]);
    if (range.count) perfetto_given_set(scope->trace, &span->given, scope->block, range);
  }
}
