/* Scenarios: batches in the sender's hands, and what happens when nobody takes them. */
#include "harness.h"

static void record(int count) {
  TACHY_DEFINE_SPAN(site, "outbox", "span");
  TACHY_DEFINE_INT_METRIC(metric, "outbox", "metric", "");
  TACHY_DEFINE_LOG(text, "outbox", TACHY_LEVEL_INFO, "");
  uint64_t random = 1;
  for (int i = 0; i < count; i++) {
    tachy_span_end(tachy_span_begin(&site));
    if (i % 4 == 0) tachy_metric_int(&metric, 0, (int64_t)next_random(&random));
    if (i % 16 == 0) tachy_log_text(&text, 0, "some text", 9);
  }
}

/* Asks for a cut and waits until so many batches have been made; nobody sends them. */
static void wait_for_batches(uint64_t count) {
  CHECK(tachy_flush(1) == 0);
  while (get_stats().batches < count) sleep_ms(1);
}

static void nobody_takes(void) {
  const tachy_config config = {.session_folder = "-"};
  CHECK(tachy_start(&config) == TACHY_OK);
  record(1000);
  CHECK(tachy_flush(50) == 0);
  tachy_stop(50);
  const tachy_stats s = get_stats();
  for (int cls = 1; cls < 4; cls++) CHECK(s.recorded[cls] > 0 && s.dropped[cls] == s.recorded[cls] && s.sent[cls] == 0);
  int ended = 0;
  CHECK(tachy_batch_take(0, &ended) == NULL && ended == 1);
}

/* The oldest spans go first, then metrics; logs survive. */
static void overflow(void) {
  const tachy_config config = {.outbox_bytes = 60000, .flush_ms = 60000, .session_folder = "-"};
  CHECK(tachy_start(&config) == TACHY_OK);
  record(4000);
  const uint64_t flush = tachy_flush_begin(20000);
  CHECK(flush != 0);
  for (int i = 0; i < 10; i++) {
    if (i) record(4000);
    wait_for_batches((uint64_t)i + 1);
    CHECK(get_stats().outbox_bytes <= 60000);
  }
  const tachy_stats before = get_stats();
  CHECK(before.dropped[TACHY_CLASS_SPAN] > before.dropped[TACHY_CLASS_METRIC]);
  CHECK(before.dropped[TACHY_CLASS_LOG] == 0);
  take_over_session();
  while (get_stats().outbox_bytes) sleep_ms(1);
  CHECK(tachy_flush_wait(flush, 1000) == -1);
  end_session();
}

static void retry(void) {
  CHECK(tachy_start(NULL) == TACHY_OK);
  record(100);
  wait_for_batches(1);
  record(50);
  wait_for_batches(2);
  const uint64_t flush = tachy_flush_begin(20000);
  uint8_t id[16];
  uint64_t size;
  tachy_batch *batch = tachy_batch_take(1000, NULL);
  CHECK(batch != NULL);
  memcpy(id, tachy_batch_id(batch), 16);
  const void *bytes = tachy_batch_bytes(batch, &size);
  uint8_t *const copy = malloc(size);
  memcpy(copy, bytes, size);
  tachy_batch_done(batch, TACHY_RETRY);
  for (int i = 0; i < 3; i++) {
    uint64_t again;
    batch = tachy_batch_take(1000, NULL);
    CHECK(batch != NULL && memcmp(tachy_batch_id(batch), id, 16) == 0);
    bytes = tachy_batch_bytes(batch, &again);
    CHECK(again == size && memcmp(bytes, copy, size) == 0);
    if (i < 2) tachy_batch_done(batch, TACHY_RETRY);
  }
  free(copy);
  write_batch(batch);
  tachy_batch_done(batch, TACHY_SENT);
  batch = tachy_batch_take(1000, NULL);
  CHECK(batch != NULL && memcmp(tachy_batch_id(batch), id, 16) != 0);
  tachy_batch_done(batch, TACHY_REFUSED);
  const tachy_stats s = get_stats();
  CHECK(s.sent[TACHY_CLASS_SPAN] == 100 && s.dropped[TACHY_CLASS_SPAN] == 50);
  CHECK(tachy_flush_wait(flush, 1000) == -1); /* what it waited for is not all at the server */
  while (!tachy_flush(1)) {                   /* what was lost before does not count; a description may wait */
    batch = tachy_batch_take(10, NULL);
    if (batch) tachy_batch_done(batch, TACHY_SENT);
  }
  tachy_stop(0);
}

/* A body that was replaced travels in its new form; a batch in a sender's hands survives the end of its session. */
static void replaced(void) {
  CHECK(tachy_start(NULL) == TACHY_OK);
  record(100);
  wait_for_batches(1);
  tachy_batch *const batch = tachy_batch_take(1000, NULL);
  CHECK(batch != NULL && tachy_batch_block_count(batch) == 3);
  uint64_t size;
  const void *const body = tachy_batch_body(batch, 0, &size);
  CHECK(body != NULL && size > 16);
  CHECK(tachy_batch_body(batch, 3, &size) == NULL && size == 0);
  uint64_t whole;
  tachy_batch_body(batch, 0, &whole);
  CHECK(tachy_batch_replace(batch, 0, TACHY_CODEC_ZSTD, "0123456789", whole) == TACHY_OK); /* not smaller: ignored */
  CHECK(tachy_batch_replace(batch, 7, TACHY_CODEC_ZSTD, "x", 1) == TACHY_ERROR_ARGUMENT);
  CHECK(tachy_batch_replace(batch, 0, TACHY_CODEC_ZSTD, "0123456789", 10) == TACHY_OK);
  tachy_batch_body(batch, 0, &size);
  CHECK(size == 10);
  const uint8_t *const bytes = tachy_batch_bytes(batch, &size);
  const tachy_batch_header *const head = (const void *)bytes;
  const tachy_block_header *const block = (const void *)(bytes + sizeof *head + tachy_pad8(head->description_size));
  CHECK(head->total_size == size && head->block_count == 3);
  CHECK(block->codec == TACHY_CODEC_ZSTD && block->stored_size == 10 && block->raw_size == whole);
  tachy_stop(10);
  CHECK(tachy_start(NULL) == TACHY_OK);
  tachy_batch_done(batch, TACHY_RETRY); /* of the session before: nobody wants it any more */
  tachy_stats s = get_stats();
  CHECK(s.dropped[TACHY_CLASS_SPAN] == 0 && s.sent[TACHY_CLASS_SPAN] == 0);
  tachy_stop(0);
}

static void *stop_slowly(void *argument) {
  (void)argument;
  tachy_stop(20000);
  return NULL;
}

/* A stop waits for the batch in flight, and for its second attempt. */
static void stop_waits(void) {
  team t = {.count = 0};
  CHECK(tachy_start(NULL) == TACHY_OK);
  record(100);
  wait_for_batches(1);
  tachy_batch *batch = tachy_batch_take(1000, NULL);
  team_add(&t, stop_slowly, NULL);
  sleep_ms(50);
  tachy_batch_done(batch, TACHY_RETRY);
  int ended = 0;
  int batches = 0;
  while (!ended) {
    batch = tachy_batch_take(1000, &ended);
    if (!batch) continue;
    batches++;
    write_batch(batch);
    tachy_batch_done(batch, TACHY_SENT);
  }
  CHECK(batches == 2);
  team_join(&t);
  const tachy_stats s = get_stats();
  CHECK(s.sent[TACHY_CLASS_SPAN] == 100 && s.dropped[TACHY_CLASS_SPAN] == 0);
}

const scenario outbox_scenarios[] = {{"nobody_takes", nobody_takes}, {"overflow", overflow},     {"retry", retry},
                                     {"replaced", replaced},         {"stop_waits", stop_waits}, {NULL, NULL}};
