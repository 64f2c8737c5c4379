/* What a span costs behind the game's back: the collector (drain, columns, delta), and zstd-1 in the sender. */
#include <stdio.h>
#include <tachy/tachy.h>

#include "bench.h"

enum { FRAMES = 4000 };

/* A frame: systems, their parts, and a few entities each, with work of uneven length in between. */
static uint64_t noise = 88172645463325252u;

static void spend(unsigned most) {
  noise ^= noise << 13;
  noise ^= noise >> 7;
  noise ^= noise << 17;
  for (unsigned n = (unsigned)(noise % most); n; n--) __asm__ volatile("");
}

static void frame(void) {
  TACHY_DEFINE_SPAN(whole, "bench", "frame");
  TACHY_DEFINE_SPAN(physics, "bench", "physics");
  TACHY_DEFINE_SPAN(ai, "bench", "ai");
  TACHY_DEFINE_SPAN(render, "bench", "render");
  TACHY_DEFINE_SPAN(audio, "bench", "audio");
  TACHY_DEFINE_SPAN(part, "bench", "part");
  TACHY_DEFINE_SPAN(entity, "bench", "entity");
  TACHY_DEFINE_SPAN(query, "bench", "query");
  tachy_site *const systems[] = {&physics, &ai, &render, &audio};
  const tachy_scope all = tachy_span_begin(&whole);
  for (unsigned i = 0; i < 4; i++) {
    const tachy_scope system = tachy_span_begin(systems[i]);
    for (unsigned j = 0; j < 3; j++) {
      const tachy_scope piece = tachy_span_begin(j == 1 ? &query : &part);
      for (unsigned k = 0; k < 2; k++) {
        const tachy_scope one = tachy_span_begin(&entity);
        spend(200);
        tachy_span_end(one);
      }
      tachy_span_end(piece);
      spend(400);
    }
    tachy_span_end(system);
  }
  tachy_span_end(all);
}

static tachy_stats stats_now(void) {
  tachy_stats stats;
  tachy_get_stats(&stats);
  return stats;
}

int bench_collector(unsigned rounds) {
  uint64_t best = 0;
  uint64_t spans = 0;
  bench_start(1u << 22, 1);
  for (unsigned round = 0; round < rounds; round++) {
    const tachy_stats before = stats_now();
    for (unsigned i = 0; i < FRAMES; i++) frame();
    bench_drain();
    const tachy_stats after = stats_now();
    const uint64_t ns = after.collector_ns - before.collector_ns;
    spans = after.recorded[TACHY_CLASS_SPAN] - before.recorded[TACHY_CLASS_SPAN];
    if (round > 0 && (best == 0 || ns < best)) best = ns;
  }
  const bench_taken taken = bench_stop();
  const tachy_stats all = stats_now();
  const double total = (double)all.recorded[TACHY_CLASS_SPAN];
  printf(
      "{\"spans\": %.0f, \"dropped\": %llu, \"columns_ns\": %.3f, \"zstd_ns\": %.3f, \"raw_bytes\": %.3f, "
      "\"wire_bytes\": %.3f}\n",
      total, (unsigned long long)all.dropped[TACHY_CLASS_SPAN], (double)best / (double)spans,
      (double)taken.compress_ns / total, (double)all.raw_bytes / total, (double)taken.wire_bytes / total);
  return 0;
}
