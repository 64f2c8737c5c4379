/* What a span costs behind the game's back, stage by stage: the collector's reading of the chunks (drain, columns,
 * delta), its blocks (tables, checksum, outbox) and zstd-1, and the batch's bytes in the sender. All of it is CPU time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tachy/tachy.h>
#include <time.h>

#include "bench.h"

enum { TURNS = 3 };

TACHY_DEFINE_SPAN(whole, "bench", "frame");
TACHY_DEFINE_SPAN(physics, "bench", "physics");
TACHY_DEFINE_SPAN(ai, "bench", "ai");
TACHY_DEFINE_SPAN(render, "bench", "render");
TACHY_DEFINE_SPAN(audio, "bench", "audio");
TACHY_DEFINE_SPAN(part, "bench", "part");
TACHY_DEFINE_SPAN(entity, "bench", "entity");
TACHY_DEFINE_SPAN(query, "bench", "query");
static tachy_site *const sites[] = {&whole, &physics, &ai, &render, &audio, &part, &entity, &query};

#define BENCH_OPEN(scope, site) const tachy_scope scope = tachy_span_begin(sites[site])
#define BENCH_CLOSE(scope) tachy_span_end(scope)
#include "frame.h"

static tachy_stats stats_now(void) {
  tachy_stats stats;
  tachy_get_stats(&stats);
  return stats;
}

/* The collector's time, compression excluded. */
static uint64_t collector_ns(const tachy_stats *stats) { return stats->collector_ns - stats->compressor_ns; }

/* Until the collector has read every ring and says so; no block is cut yet. */
static tachy_stats stats_when_read(uint64_t spans) {
  const struct timespec moment = {0, 1000000};
  for (int tries = 0; tries < 10000; tries++) {
    const tachy_stats stats = stats_now();
    if (stats.recorded[TACHY_CLASS_SPAN] == spans) return stats;
    nanosleep(&moment, NULL);
  }
  fprintf(stderr, "the collector does not read\n");
  exit(1);
}

/* The least of all sessions, in ns per span. */
typedef struct stages {
  double columns, blocks, zstd, batch;
} stages;

typedef struct sizes {
  double raw, wire; /* bytes per span */
  uint64_t dropped;
} sizes;

static void keep_least(double *best, uint64_t ns, double spans) {
  const double figure = (double)ns / spans;
  if (*best == 0.0 || figure < *best) *best = figure;
}

static void measure(unsigned rounds, const char *folder, stages *best, sizes *bytes) {
  const double spans = (double)BENCH_FRAMES * BENCH_FRAME_SPANS;
  bench_start_in(folder, 0, 1);
  for (unsigned round = 0; round < rounds; round++) {
    const tachy_stats before = stats_now();
    for (unsigned i = 0; i < BENCH_FRAMES; i++) bench_frame();
    const tachy_stats read = stats_when_read(before.recorded[TACHY_CLASS_SPAN] + (uint64_t)spans);
    bench_drain();
    const tachy_stats after = stats_now();
    if (round == 0) continue; /* the first one meets memory that nobody has touched */
    keep_least(&best->columns, collector_ns(&read) - collector_ns(&before), spans);
    keep_least(&best->blocks, collector_ns(&after) - collector_ns(&read), spans);
  }
  const bench_taken taken = bench_stop();
  const tachy_stats all = stats_now();
  const double total = (double)all.recorded[TACHY_CLASS_SPAN];
  keep_least(&best->zstd, all.compressor_ns, total);
  keep_least(&best->batch, taken.batch_ns, total);
  bytes->raw = (double)all.raw_bytes / total;
  bytes->wire = (double)taken.wire_bytes / total;
  bytes->dropped += all.dropped[TACHY_CLASS_SPAN];
}

/* With a session file and without, in turns: what the file costs is the difference. */
int bench_collector(unsigned rounds) {
  stages file = {0};
  stages none = {0};
  sizes bytes = {0};
  for (int turn = 0; turn < TURNS; turn++) {
    measure(rounds, "-", &none, &bytes);
    measure(rounds, NULL, &file, &bytes);
  }
  printf(
      "{\"dropped\": %llu, \"columns_ns\": %.3f, \"blocks_ns\": %.3f, \"zstd_ns\": %.3f, \"batch_ns\": %.3f, "
      "\"file_ns\": %.3f, \"raw_bytes\": %.3f, \"wire_bytes\": %.3f}\n",
      (unsigned long long)bytes.dropped, none.columns, none.blocks, file.zstd, file.batch,
      file.columns + file.blocks - none.columns - none.blocks, bytes.raw, bytes.wire);
  return 0;
}
