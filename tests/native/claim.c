/* A program of its own, since it calls what the library hides: batches of a dead process, found in its files. usage:
 * claim_tests SCENARIO CAPTURE, with the environment's TACHY_SESSION_FOLDER. */
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#include "../../native/src/recorder/send/outbox.h"
#include "harness.h"

enum { FILES_MAX = 64 };

typedef struct claimed_batches {
  tachy_claim claim;
  int resolved;
  int count;
  char paths[FILES_MAX][1200]; /* in order */
} claimed_batches;

static claimed_batches h;

static void on_resolved(tachy_claim *claim) {
  tachy_get_stats(&(tachy_stats){0}); /* no lock is held */
  ((claimed_batches *)(void *)claim)->resolved++;
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

static int is_batch(const char *name) {
  const char *const end = strrchr(name, '.');
  return end && strcmp(end, ".batch") == 0;
}

static int count_files(void) {
  int count = 0;
  DIR *const open = opendir(getenv("TACHY_SESSION_FOLDER"));
  CHECK(open != NULL);
  for (const struct dirent *entry = readdir(open); entry; entry = readdir(open)) count += is_batch(entry->d_name);
  closedir(open);
  return count;
}

static void find_files(void) {
  memset(&h, 0, sizeof h);
  h.claim.resolved = on_resolved;
  const char *const folder = getenv("TACHY_SESSION_FOLDER");
  DIR *const open = opendir(folder);
  CHECK(open != NULL);
  for (const struct dirent *entry = readdir(open); entry; entry = readdir(open)) {
    if (!is_batch(entry->d_name)) continue;
    CHECK(h.count < FILES_MAX);
    snprintf(h.paths[h.count++], sizeof h.paths[0], "%.900s/%.255s", folder, entry->d_name);
  }
  closedir(open);
  qsort(h.paths, (size_t)h.count, sizeof h.paths[0], by_name);
}

static void claim_all(void) {
  for (int i = 0; i < h.count; i++) {
    FILE *const file = fopen(h.paths[i], "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    tachy_outbox_add_claimed(&h.claim, h.paths[i], (uint64_t)ftell(file));
    fclose(file);
  }
  CHECK(h.resolved == 0);
  tachy_outbox_close_claim(&h.claim);
}

static tachy_stats stats(void) {
  tachy_stats s;
  tachy_get_stats(&s);
  return s;
}

static void record(uint64_t from, uint64_t to, int events) {
  TACHY_DEFINE_SPAN(site, "claim", "span");
  TACHY_DEFINE_LOG(text, "claim", TACHY_LEVEL_INFO, "");
  for (uint64_t i = from; i < to; i++) {
    for (int k = 0; k < events; k++) tachy_span_end(tachy_span_begin(&site));
    tachy_log_text(&text, 0, "some text", 9);
    CHECK(tachy_flush(1) == 0);
    while (stats().batches < i + 1) {
    }
  }
}

/* A session whose batches nobody takes: so many and the last one, without blocks. */
static void leave_batches(uint64_t batches) {
  const tachy_config config = {.flush_ms = 60000};
  CHECK(tachy_start(&config) == TACHY_OK);
  record(0, batches, 1000);
  tachy_stop(0);
  find_files();
  CHECK(h.count == (int)batches + 1 && stats().kept[TACHY_CLASS_SPAN] == batches * 1000);
}

static void send(tachy_batch *batch) {
  uint64_t size;
  const void *const bytes = tachy_batch_bytes(batch, &size);
  CHECK(bytes && fwrite(bytes, 1, size, capture) == size);
  tachy_batch_done(batch, TACHY_SENT);
}

/* Without a session: all of them come, in their order, and then it has ended. */
static void recover(void) {
  leave_batches(4);
  const tachy_stats before = stats();
  claim_all();
  int ended = 0;
  uint8_t id[16];
  tachy_batch *batch = tachy_batch_take(0, &ended);
  CHECK(batch != NULL && ended == 0);
  memcpy(id, tachy_batch_id(batch), 16);
  tachy_batch_done(batch, TACHY_RETRY);
  batch = tachy_batch_take(0, &ended);
  CHECK(batch != NULL && memcmp(id, tachy_batch_id(batch), 16) == 0);
  send(batch);
  for (int i = 0; i < 4; i++) {
    CHECK(h.resolved == 0 && count_files() == 4 - i);
    batch = tachy_batch_take(0, &ended);
    CHECK(batch != NULL && ended == 0);
    send(batch);
  }
  CHECK(h.resolved == 1 && h.claim.batches == 0 && count_files() == 0);
  CHECK(tachy_batch_take(0, &ended) == NULL && ended == 1);
  const tachy_stats s = stats();
  CHECK(s.recovered_batches == 5 && s.recovered_lost == 0);
  for (int cls = 0; cls < 4; cls++) CHECK(s.sent[cls] == before.sent[cls] && s.dropped[cls] == before.dropped[cls]);
}

/* In turns with those of a session that runs, whose counts they leave alone. */
static void in_turns(void) {
  leave_batches(2);
  const tachy_config config = {.flush_ms = 60000};
  CHECK(tachy_start(&config) == TACHY_OK);
  const tachy_stats own = stats();
  claim_all();
  record(0, 3, 10);
  int pattern = 0;
  for (int i = 0; i < 6; i++) {
    tachy_batch *const batch = tachy_batch_take(0, NULL);
    CHECK(batch != NULL);
    uint64_t size;
    const tachy_batch_header *const head = tachy_batch_bytes(batch, &size);
    pattern = pattern * 2 + (memcmp(head->process_id, own.process_id, 16) == 0);
    send(batch);
  }
  CHECK(pattern == 21 || pattern == 42); /* 010101 or 101010 */
  const tachy_stats s = stats();
  CHECK(h.resolved == 1 && s.recovered_batches == 3 && s.sent[TACHY_CLASS_SPAN] == 30);
  tachy_stop(0);
}

/* Refused, gone, damaged: done with as well, and counted. */
static void lost(void) {
  leave_batches(3);
  FILE *const file = fopen(h.paths[1], "r+b");
  CHECK(file != NULL && fputc('X', file) == 'X' && fclose(file) == 0);
  claim_all();
  CHECK(unlink(h.paths[2]) == 0);
  tachy_batch_done(tachy_batch_take(0, NULL), TACHY_REFUSED);
  send(tachy_batch_take(0, NULL));
  int ended = 0;
  CHECK(tachy_batch_take(0, &ended) == NULL && ended == 1);
  CHECK(h.resolved == 1 && count_files() == 0);
  CHECK(stats().recovered_batches == 1 && stats().recovered_lost == 3);
}

/* A session that ends before they are sent leaves the files to the next one, also the one that is on its way. */
static void left(void) {
  leave_batches(3);
  const tachy_config config = {.flush_ms = 60000};
  CHECK(tachy_start(&config) == TACHY_OK);
  claim_all();
  tachy_batch *const in_flight = tachy_batch_take(0, NULL);
  tachy_stop(0);
  tachy_batch_done(in_flight, TACHY_RETRY);
  int ended = 0;
  CHECK(tachy_batch_take(0, &ended) == NULL && ended == 1);
  CHECK(h.resolved == 0 && count_files() == 4 + 1);
  CHECK(stats().recovered_batches == 0 && stats().recovered_lost == 0);
}

/* They are the oldest: their spans go first when there is too much on disk, their logs do not. */
static void oldest(void) {
  leave_batches(6);
  TACHY_DEFINE_LOG(site, "claim", TACHY_LEVEL_INFO, "");
  static char text[30000]; /* what they take does not depend on times */
  memset(text, 'x', sizeof text);
  const tachy_config config = {.flush_ms = 60000, .spool_bytes = 110 << 10};
  CHECK(tachy_start(&config) == TACHY_OK);
  claim_all();
  for (uint64_t i = 0; i < 2; i++) {
    tachy_log_text(&site, 0, text, sizeof text);
    record(i, i + 1, 0);
  }
  const tachy_stats s = stats();
  CHECK(s.spool_bytes <= config.spool_bytes && s.recovered_lost > 0 && s.dropped[TACHY_CLASS_LOG] == 0);
  int logs = 0;
  int ended = 0;
  while (h.resolved == 0) {
    tachy_batch *const batch = tachy_batch_take(0, &ended);
    CHECK(batch != NULL);
    logs += tachy_batch_block_count(batch) == 1; /* what has lost its spans, and ours */
    send(batch);
  }
  CHECK(logs >= (int)s.recovered_lost && logs <= (int)s.recovered_lost + 2);
  tachy_stop(0);
}

/* Storage without room for the smaller second file: what is left of the batches goes on in memory. */
static void no_room(void) {
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit;
  leave_batches(6);
  const tachy_config config = {.flush_ms = 60000, .spool_bytes = 40 << 10};
  CHECK(tachy_start(&config) == TACHY_OK);
  CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = 100;
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  claim_all();
  const tachy_stats s = stats();
  CHECK(s.recovered_lost > 0 && s.spool_bytes <= config.spool_bytes);
  CHECK(count_files() == 7 - (int)s.recovered_lost);
  limit.rlim_cur = before;
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  int logs = 0;
  for (int i = 0; i < 7; i++) {
    tachy_batch *const batch = tachy_batch_take(0, NULL);
    CHECK(batch != NULL);
    logs += tachy_batch_block_count(batch) > 0; /* all but the last */
    send(batch);
  }
  CHECK(logs == 6 && h.resolved == 1 && count_files() == 0);
  tachy_stop(0);
}

/* Memory that does not even hold the list of them: the rest is left where it is. */
static void crowd(void) {
  leave_batches(12);
  const tachy_config config = {.flush_ms = 60000, .outbox_bytes = 3000};
  CHECK(tachy_start(&config) == TACHY_OK);
  claim_all();
  CHECK(stats().outbox_bytes <= config.outbox_bytes && count_files() == 13);
  int sent = 0;
  for (tachy_batch *batch = tachy_batch_take(0, NULL); batch; batch = tachy_batch_take(0, NULL), sent++) send(batch);
  CHECK(sent > 0 && sent < 13 && count_files() == 13 - sent && h.resolved == 0);
  CHECK(stats().recovered_lost == 0);
  tachy_stop(0);
}

/* A claim of which nothing is left, or never was. */
static void nothing(void) {
  memset(&h, 0, sizeof h);
  h.claim.resolved = on_resolved;
  tachy_outbox_close_claim(&h.claim);
  CHECK(h.resolved == 1);
}

int main(int argc, char **argv) {
  static const scenario all[] = {{"recover", recover}, {"in_turns", in_turns}, {"lost", lost},
                                 {"left", left},       {"oldest", oldest},     {"no_room", no_room},
                                 {"crowd", crowd},     {"nothing", nothing},   {NULL, NULL}};
  return run_named(argc, argv, all);
}
