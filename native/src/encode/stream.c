/* Streams: their life, and gaps. */
#include "stream.h"

#include "open_async.h"

enum { ROOM_MIN = 16 };

typedef struct numbered {
  uint64_t number;
  tachy_stream *stream;
} numbered;

static numbered *entry_of(const tachy_channel *channel, uint32_t number) {
  return (numbered *)tachy_by_id_find(&channel->streams_by_number, sizeof(numbered), number);
}

tachy_stream *tachy_stream_find(const tachy_channel *channel, uint32_t number) {
  const numbered *const entry = entry_of(channel, number);
  return entry ? entry->stream : NULL;
}

int tachy_stream_reach(tachy_stream *s, uint32_t depth) {
  if (TACHY_LIKELY(depth < s->room)) return 1;
  uint32_t room = s->room ? s->room : ROOM_MIN;
  while (room <= depth) room *= 2;
  const uint32_t old = s->room;
  tachy_span_level *const levels = tachy_os_resize(s->levels, (room + 2) * sizeof *levels);
  if (levels) s->levels = levels;
  tachy_open_row *const opens = levels ? tachy_os_resize(s->opens, room * sizeof *opens) : NULL;
  if (opens) s->opens = opens;
  tachy_open_row *const ends = opens ? tachy_os_resize(s->ends, room * sizeof *ends) : NULL;
  if (!ends) return 0;
  s->ends = ends;
  for (uint32_t i = old ? old + 2 : 0; i < room + 2; i++) levels[i] = (tachy_span_level){TACHY_NO_TICKS, 0};
  memset(opens + old, 0, (room - old) * sizeof *opens);
  memset(ends + old, 0, (room - old) * sizeof *ends);
  s->room = room;
  return 1;
}

/* Zeroed, but for what a class needs from the beginning. */
static tachy_stream *make(tachy_class cls) {
  tachy_stream *const s = tachy_os_allocate(sizeof *s);
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  s->cls = cls;
  if (cls != TACHY_CLASS_SPAN || tachy_stream_reach(s, 0)) return s;
  tachy_os_release(s);
  return NULL;
}

tachy_stream *tachy_stream_new(tachy_channel *channel, uint32_t number) {
  int is_new;
  numbered *const entry = (numbered *)tachy_by_id_add(&channel->streams_by_number, sizeof(numbered), number, &is_new);
  if (!entry || !is_new) return NULL;
  tachy_stream *const s = entry->stream = make(channel->cls);
  if (!s) {
    tachy_by_id_remove(&channel->streams_by_number, sizeof(numbered), entry);
    return NULL;
  }
  s->values.all = &channel->values;
  s->number = number;
  s->last = TACHY_NO_TICKS;
  s->base = TACHY_NO_TICKS;
  s->begin_ticks = UINT64_MAX;
  s->begin_utc = INT64_MAX;
  s->before = channel->last_stream;
  *(s->before ? &s->before->next : &channel->streams) = s;
  channel->last_stream = s;
  channel->unsorted |= s->before && s->before->number > number;
  return s;
}

static tachy_stream *merge(tachy_stream *a, tachy_stream *b) {
  tachy_stream *first = NULL;
  tachy_stream **link = &first;
  while (a && b) {
    tachy_stream **const lesser = a->number < b->number ? &a : &b;
    *link = *lesser;
    link = &(*lesser)->next;
    *lesser = *link;
  }
  *link = a ? a : b;
  return first;
}

void tachy_streams_sort(tachy_channel *channel) {
  tachy_stream *sorted[32] = {NULL}; /* the i-th: 2^i of them */
  tachy_stream *all = NULL;
  tachy_stream *next;
  if (!channel->unsorted) return;
  for (tachy_stream *s = channel->streams; s; s = next) {
    next = s->next;
    s->next = NULL;
    unsigned i = 0;
    for (; sorted[i]; i++) {
      s = merge(sorted[i], s);
      sorted[i] = NULL;
    }
    sorted[i] = s;
  }
  for (unsigned i = 0; i < 32; i++) all = merge(sorted[i], all);
  channel->streams = all;
  channel->last_stream = NULL;
  for (tachy_stream *s = all; s; s = s->next) {
    s->before = channel->last_stream;
    channel->last_stream = s;
  }
  channel->unsorted = 0;
}

static void next_block(tachy_stream *s) {
  for (unsigned i = 0; i < TACHY_PLANES; i++) tachy_plane_clear(&s->planes[i]);
  s->floats.size = s->text.size = s->raw.size = 0;
  s->rows = s->gap_rows = s->async_rows = s->dropped = s->missed = 0;
  s->first = s->total;
  s->base = s->last;
  s->begin_ticks = UINT64_MAX;
  s->begin_utc = INT64_MAX;
  s->end_ticks = 0;
  tachy_values_next_block(s);
  if (s->broken) tachy_values_drop_from(s, 0); /* nobody has seen which spans have ended */
  s->broken = 0;
  if (!s->levels) return;
  for (uint32_t i = 0; i <= s->deepest + 1; i++) s->levels[i] = (tachy_span_level){TACHY_NO_TICKS, 0};
  s->deepest = 0;
  tachy_open_row *const ends = s->ends;
  s->ends = s->opens;
  s->opens = ends;
  s->at_start = s->at_end;
  s->open = s->at_end;
}

/* What comes later is dated by the same points. */
static void remember_clock(tachy_channel *channel, tachy_clock_pair until) {
  if (until.ticks == channel->from.ticks) return;
  tachy_clock_pair inner[TACHY_BENDS_MAX];
  uint64_t count = tachy_bends_between(channel->bends, channel->from, until, inner);
  tachy_past_add(&channel->past, channel->from);
  while (count) tachy_past_add(&channel->past, inner[--count]);
}

void tachy_channel_next_block(tachy_channel *channel, tachy_clock_pair from, int made) {
  for (tachy_stream *s = channel->streams; s; s = s->next) next_block(s);
  tachy_tables_clear(&channel->tables);
  if (channel->watch) channel->watch->kinds.size = 0;
  channel->events = channel->bytes = 0;
  tachy_async_values_next_block(&channel->values, from.ticks);
  tachy_open_async_resume(channel);
  channel->sequence += (uint64_t)made;
  remember_clock(channel, from);
  channel->from = from;
  if (from.ticks >= channel->ceiling) channel->ceiling = 0;
}

static void free_stream(tachy_stream *s) {
  for (unsigned i = 0; i < TACHY_PLANES; i++) tachy_plane_free(&s->planes[i]);
  tachy_bytes_free(&s->floats);
  tachy_bytes_free(&s->text);
  tachy_bytes_free(&s->raw);
  tachy_bytes_free(&s->held);
  tachy_values_free_stream(s);
  tachy_os_release(s->levels);
  tachy_os_release(s->opens);
  tachy_os_release(s->ends);
  tachy_os_release(s);
}

void tachy_stream_remove(tachy_channel *channel, tachy_stream *stream) {
  tachy_by_id_remove(&channel->streams_by_number, sizeof(numbered), entry_of(channel, stream->number));
  *(stream->before ? &stream->before->next : &channel->streams) = stream->next;
  *(stream->next ? &stream->next->before : &channel->last_stream) = stream->before;
  free_stream(stream);
}

void tachy_channel_free(tachy_channel *channel) {
  while (channel->streams) tachy_stream_remove(channel, channel->streams);
  tachy_os_release(channel->streams_by_number.entries);
  channel->streams_by_number = (tachy_by_id){NULL, 0, 0};
  tachy_tables_free(&channel->tables);
  tachy_open_async_free(&channel->asyncs);
  tachy_values_free(&channel->values);
}

void tachy_stream_drop(tachy_channel *channel, tachy_stream *s, uint64_t count) {
  s->dropped += count;
  channel->lost += count;
  channel->recorded += count;
}

void tachy_stream_gap(tachy_channel *channel, tachy_stream *s, uint64_t count, uint32_t depth) {
  tachy_stream_drop(channel, s, count);
  s->total += count;
  s->rows++;
  s->gap_rows++;
  int ok = tachy_plane_append(&s->planes[TACHY_PLANE_SITE], 0) && tachy_plane_append(&s->planes[TACHY_PLANE_LEAD], 0) &&
           tachy_plane_append(&s->planes[TACHY_PLANE_GAP], count);
  if (channel->cls != TACHY_CLASS_SPAN) {
    ok = ok && tachy_plane_append(&s->planes[TACHY_PLANE_SET], 0);
    if (!ok) s->broken = 1;
    return;
  }
  ok = ok && tachy_plane_append(&s->planes[TACHY_PLANE_TAIL], 0) &&
       tachy_plane_append(&s->planes[TACHY_PLANE_DEPTH], tachy_zigzag((int64_t)depth - (int64_t)s->depth));
  if (!ok) s->broken = 1;
  if (!tachy_stream_reach(s, depth)) {
    s->broken = 1;
    return;
  }
  if (count && depth < s->values.levels) tachy_values_drop_from(s, depth);
  tachy_span_level *const level = &s->levels[depth];
  if (depth > s->deepest) s->deepest = depth;
  level->size += count;
  for (uint32_t d = depth + 1; d <= s->deepest; d++) {
    level->size += s->levels[d].size;
    if (level->child == TACHY_NO_TICKS) level->child = s->levels[d].child;
    s->levels[d] = (tachy_span_level){TACHY_NO_TICKS, 0};
  }
  if (depth < s->open) s->open = depth;
  s->depth = depth;
}
