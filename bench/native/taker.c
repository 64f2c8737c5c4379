/* The sender's place in the benchmark: takes batches and throws them away. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <tachy/tachy.h>
#include <time.h>
#include <zstd.h>

#include "bench.h"

static pthread_t thread;
static bench_taken taken;
static int compressing;

static uint64_t cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* As the C++ SDK's sender does, on the collector's thread. */
static uint64_t pack(void *context, const void *body, uint64_t size, void *to, uint64_t room) {
  uint64_t ends[TACHY_BODY_PARTS_MAX] = {size};
  const uint32_t parts = size > 1 << 20 ? 1 : tachy_body_parts(body, size, ends, TACHY_BODY_PARTS_MAX);
  ZSTD_inBuffer in = {body, 0, 0};
  ZSTD_outBuffer out = {to, (size_t)room, 0};
  ZSTD_CCtx_reset(context, ZSTD_reset_session_only);
  if (ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context, size))) abort();
  for (uint32_t i = 0; i < parts; i++) {
    in.size = (size_t)ends[i];
    if (ZSTD_compressStream2(context, &out, &in, i + 1 < parts ? ZSTD_e_flush : ZSTD_e_end) != 0) return 0;
  }
  return out.pos;
}

static void measure(tachy_batch *batch) {
  uint64_t size;
  const uint64_t begin = cpu_ns();
  if (!tachy_batch_bytes(batch, &size)) abort();
  taken.batch_ns += cpu_ns() - begin;
  taken.wire_bytes += size;
}

static void *take(void *unused) {
  (void)unused;
  ZSTD_CCtx *const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
  const uint64_t turn = tachy_sender_begin(60000);
  if (compressing) tachy_sender_compresses(turn, TACHY_CODEC_ZSTD, pack, context);
  for (int ended = 0; !ended;) {
    tachy_batch *const batch = tachy_batch_take(1000, &ended);
    if (!batch) continue;
    if (compressing) measure(batch);
    tachy_batch_done(batch, TACHY_SENT);
  }
  tachy_sender_end(turn);
  ZSTD_freeCCtx(context);
  return NULL;
}

void bench_start(uint64_t pool_bytes, int compress_bodies) { bench_start_in(NULL, pool_bytes, compress_bodies); }

void bench_start_in(const char *folder, uint64_t pool_bytes, int compress_bodies) {
  const tachy_config config = {
      .pool_bytes = pool_bytes, .flush_ms = 1u << 30, .outbox_bytes = UINT64_C(1) << 32, .session_folder = folder};
  compressing = compress_bodies;
  taken = (bench_taken){0};
  if (tachy_start(&config) != TACHY_OK || pthread_create(&thread, NULL, take, NULL) != 0) {
    fprintf(stderr, "the session did not start\n");
    exit(1);
  }
}

bench_taken bench_stop(void) {
  tachy_stop(60000);
  pthread_join(thread, NULL);
  return taken;
}

void bench_drain(void) {
  if (!tachy_flush(60000)) {
    fprintf(stderr, "nothing drains\n");
    exit(1);
  }
}
