/* The wall clock was set, or the counter began anew: what the next blocks are to make of what came before. */
#include "stream.h"

/* Open spans keep their age by the new time; ticks of the old counter say nothing any more. */
static void jump_stream(tachy_stream *s, int64_t ns, tachy_clock_pair start, int restarted) {
  if (s->begin_utc != INT64_MAX) s->begin_utc += ns;
  for (uint32_t k = 0; k < s->at_start; k++) {
    s->opens[k].utc += ns;
    if (restarted) s->opens[k].ticks = start.ticks;
  }
  if (!restarted) return;
  s->last = s->base = TACHY_NO_TICKS;
  tachy_async_record *const waiting = (tachy_async_record *)(void *)s->raw.bytes;
  for (uint64_t i = 0; i < s->async_rows; i++) waiting[i].ticks = start.ticks;
}

void tachy_channel_jump(tachy_channel *channel, tachy_clock_pair end, tachy_clock_pair start, uint64_t first) {
  const int64_t ns = start.utc - end.utc;
  const int restarted = start.ticks != end.ticks;
  tachy_past_shift(&channel->past, ns);
  channel->from.utc += ns;
  if (restarted) {
    channel->from = start;
    channel->floor = start.ticks; /* no new event lies before an open span's begin */
    channel->ceiling = first > start.ticks ? first : start.ticks + (end.ticks - start.ticks) / 2;
    tachy_past_start(&channel->past, start);
    tachy_async_values_jump(&channel->values, start.ticks);
  }
  for (tachy_stream *s = channel->streams; s; s = s->next) jump_stream(s, ns, start, restarted);
  for (uint64_t i = 0; i < channel->asyncs.table.capacity; i++) tachy_open_async_at(&channel->asyncs, i)->utc += ns;
}
