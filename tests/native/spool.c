/* Scenarios: what waits lies in files, within bounds, and what is dropped is reported. */
#include "harness.h"

#if defined(_WIN32) /* looks at files and limits as POSIX has them */
const scenario spool_scenarios[] = {{NULL, NULL}};
#else
#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { FILES_MAX = 4096 };

typedef struct folder {
  int count;
  uint64_t bytes;
  char names[FILES_MAX][80]; /* in order */
} folder;

static const char *folder_path(void) { return getenv("TACHY_SESSION_FOLDER"); }

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

/* The batches' files, in the order of their ordinals. */
static const folder *list_files(void) {
  static folder f;
  f.count = 0;
  f.bytes = 0;
  DIR *const open = opendir(folder_path());
  CHECK(open != NULL);
  for (const struct dirent *entry = readdir(open); entry; entry = readdir(open)) {
    const char *const end = strrchr(entry->d_name, '.');
    if (!end || strcmp(end, ".batch") != 0) continue;
    CHECK(f.count < FILES_MAX && strlen(entry->d_name) < sizeof f.names[0]);
    snprintf(f.names[f.count++], sizeof f.names[0], "%.79s", entry->d_name);
  }
  closedir(open);
  qsort(f.names, (size_t)f.count, sizeof f.names[0], by_name);
  for (int i = 0; i < f.count; i++) {
    char path[1200];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", folder_path(), f.names[i]);
    if (stat(path, &about) == 0) f.bytes += (uint64_t)about.st_size;
  }
  return &f;
}

static void path_of(const char *name, char *path, size_t size) { snprintf(path, size, "%s/%s", folder_path(), name); }

/* The file's content, allocated. */
static uint8_t *read_file(const char *name, uint64_t *size) {
  char path[1200];
  path_of(name, path, sizeof path);
  FILE *const file = fopen(path, "rb");
  CHECK(file != NULL);
  fseek(file, 0, SEEK_END);
  *size = (uint64_t)ftell(file);
  rewind(file);
  uint8_t *const bytes = malloc(*size + 1);
  CHECK(bytes != NULL && fread(bytes, 1, *size, file) == *size);
  fclose(file);
  return bytes;
}

/* Writes every file to the capture, as if they had been sent. */
static void capture_files(void) {
  const folder *const files = list_files();
  for (int i = 0; i < files->count; i++) {
    uint64_t size;
    uint8_t *const bytes = read_file(files->names[i], &size);
    CHECK(fwrite(bytes, 1, size, capture) == size);
    free(bytes);
  }
}

static void record(int count) {
  TACHY_DEFINE_SPAN(site, "spool", "span");
  TACHY_DEFINE_INT_METRIC(metric, "spool", "metric", "");
  TACHY_DEFINE_LOG(text, "spool", TACHY_LEVEL_INFO, "");
  static uint64_t random = 1;
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

static void record_batches(uint64_t from, uint64_t to, int events) {
  for (uint64_t i = from; i < to; i++) {
    record(events);
    wait_for_batches(i + 1);
  }
}

static const tachy_config patient = {.flush_ms = 60000};

/* A batch's file holds the bytes that travel, also in its second form, and goes with the batch. */
static void spool_file(void) {
  CHECK(tachy_start(&patient) == TACHY_OK);
  record_batches(0, 2, 100);
  const tachy_stats s = get_stats();
  CHECK(s.unprotected == 0 && s.spool_bytes > 0 && list_files()->count == 2);
  const char *const name = list_files()->names[0]; /* the file's id and the commit's number */
  CHECK(name[36] == '.' && strspn(name + 37, "0123456789abcdef") == 16 && strcmp(name + 53, ".batch") == 0);
  for (int i = 0; i < 2; i++) {
    tachy_batch *const batch = tachy_batch_take(1000, NULL);
    CHECK(batch != NULL);
    uint64_t size, wire_size, body_size;
    uint8_t *file = read_file(list_files()->names[0], &size);
    if (i == 0) { /* as it was */
      const void *const wire = tachy_batch_bytes(batch, &wire_size);
      CHECK(wire_size == size && memcmp(wire, file, size) == 0);
    } else { /* changed, given back, and taken again */
      tachy_batch_body(batch, 0, &body_size);
      CHECK(tachy_batch_replace(batch, 0, TACHY_CODEC_ZSTD, "0123456789", 10) == TACHY_OK);
      tachy_batch_done(batch, TACHY_RETRY);
      CHECK(tachy_batch_take(1000, NULL) == batch);
      const void *const wire = tachy_batch_bytes(batch, &wire_size);
      free(file);
      file = read_file(list_files()->names[0], &size);
      CHECK(wire_size == size && memcmp(wire, file, size) == 0);
      CHECK(tachy_batch_codec(batch, 0) == TACHY_CODEC_ZSTD && tachy_batch_codec(batch, 1) == TACHY_CODEC_NONE);
    }
    free(file);
    tachy_batch_done(batch, i == 0 ? TACHY_SENT : TACHY_REFUSED);
    CHECK(list_files()->count == 1 - i);
  }
  CHECK(get_stats().spool_bytes == 0);
  tachy_stop(0);
}

/* Many megabytes wait while a sixteenth of them is in memory; then everything arrives. */
static void spool_outage(void) {
  tachy_config config = patient;
  config.outbox_bytes = 1 << 18;
  CHECK(tachy_start(&config) == TACHY_OK);
  record_batches(0, 2, 10000);
  const size_t before = mallinfo2().uordblks;
  for (uint64_t i = 2; i < 60; i++) {
    record_batches(i, i + 1, 10000);
    CHECK(get_stats().outbox_bytes <= config.outbox_bytes);
  }
  CHECK(list_files()->bytes > 16 * config.outbox_bytes / 2 && list_files()->count == 60);
  CHECK(mallinfo2().uordblks < before + config.outbox_bytes);
  CHECK(get_stats().dropped[TACHY_CLASS_SPAN] == 0);
  take_over_session();
  end_session();
  CHECK(list_files()->count == 0);
}

/* What goes beyond what may be written in five minutes has no file, and arrives all the same. */
static void spool_writes(void) {
  tachy_config config = patient;
  config.write_bytes = 100000;
  CHECK(tachy_start(&config) == TACHY_OK);
  record_batches(0, 10, 5000);
  const folder *const found = list_files();
  CHECK(found->count > 0 && found->bytes <= config.write_bytes);
  CHECK(get_stats().unprotected == 10 - (uint64_t)found->count);
  CHECK(get_stats().dropped[TACHY_CLASS_SPAN] == 0);
  take_over_session();
  end_session();
}

/* The oldest spans go first, then metrics; logs survive, and the files keep within the bound. */
static void spool_budget(void) {
  tachy_config config = patient;
  config.outbox_bytes = 1 << 16;
  config.spool_bytes = 1 << 20;
  CHECK(tachy_start(&config) == TACHY_OK);
  int spans_alone = 0;
  for (uint64_t i = 0; i < 40; i++) {
    record_batches(i, i + 1, 20000);
    CHECK(get_stats().spool_bytes <= config.spool_bytes && list_files()->bytes <= config.spool_bytes);
    if (get_stats().dropped[TACHY_CLASS_METRIC] == 0) spans_alone |= get_stats().dropped[TACHY_CLASS_SPAN] > 0;
  }
  CHECK(spans_alone);
  const tachy_stats s = get_stats();
  CHECK(s.dropped[TACHY_CLASS_METRIC] > 0 && s.dropped[TACHY_CLASS_LOG] == 0);
  take_over_session();
  end_session();
}

/* What nobody took is in the files when the session has stopped. */
static void spool_kept(void) {
  tachy_config config = patient;
  config.outbox_bytes = 100000; /* some in memory, some not */
  CHECK(tachy_start(&config) == TACHY_OK);
  record_batches(0, 5, 5000);
  tachy_batch *const in_flight = tachy_batch_take(1000, NULL);
  CHECK(in_flight != NULL);
  tachy_stop(50);
  tachy_stats s = get_stats();
  CHECK(s.kept[TACHY_CLASS_SPAN] == 4 * 5000 && s.outbox_bytes == 0);
  tachy_batch_done(in_flight, TACHY_RETRY);
  s = get_stats();
  for (int cls = 1; cls < 4; cls++) CHECK(s.kept[cls] == s.recorded[cls] && s.sent[cls] + s.dropped[cls] == 0);
  int ended = 0;
  CHECK(tachy_batch_take(0, &ended) == NULL && ended == 1);
  capture_files();
  print_stats(&s);
}

/* Without a sender that compresses what waits, it lies there as it is; take_raw gives each batch once. */
static void spool_raw(void) {
  tachy_config config = patient;
  config.outbox_bytes = 1 << 16;
  CHECK(tachy_batch_take_raw() == NULL);
  CHECK(tachy_start(&config) == TACHY_OK);
  CHECK(tachy_batch_take_raw() == NULL);
  record_batches(0, 6, 5000);
  const uint64_t before = list_files()->bytes;
  uint8_t ids[6][16];
  for (int i = 0; i < 6; i++) {
    tachy_batch *const batch = tachy_batch_take_raw();
    CHECK(batch != NULL && tachy_batch_block_count(batch) == 3);
    memcpy(ids[i], tachy_batch_id(batch), 16);
    for (uint32_t block = 0; block < 3; block++) {
      CHECK(tachy_batch_codec(batch, block) == TACHY_CODEC_NONE);
      CHECK(tachy_batch_replace(batch, block, TACHY_CODEC_ZSTD, "0123456789", 10) == TACHY_OK);
    }
    tachy_batch_done(batch, TACHY_RETRY);
  }
  CHECK(tachy_batch_take_raw() == NULL);
  CHECK(list_files()->count == 6 && list_files()->bytes < before / 4);
  for (int i = 0; i < 6; i++) {
    tachy_batch *const batch = tachy_batch_take(1000, NULL);
    CHECK(batch != NULL && memcmp(tachy_batch_id(batch), ids[i], 16) == 0);
    for (uint32_t block = 0; block < 3; block++) CHECK(tachy_batch_codec(batch, block) == TACHY_CODEC_ZSTD);
    tachy_batch_done(batch, TACHY_SENT);
  }
  const tachy_stats s = get_stats();
  for (int cls = 1; cls < 4; cls++) CHECK(s.sent[cls] == s.recorded[cls]);
  tachy_stop(0);
}

/* What the compressor below does, and has done. */
typedef struct packing {
  uint64_t least;   /* bytes of a body that it takes */
  unsigned pause;   /* ms */
  uint64_t written; /* bytes of what it makes, or says that it has made */
  uint32_t begun, done;
} packing;

static uint64_t pack(void *context, const void *body, uint64_t size, void *to, uint64_t room) {
  packing *const p = context;
  __atomic_fetch_add(&p->begun, 1, __ATOMIC_RELAXED);
  CHECK(body != NULL && room == size - 1);
  sleep_ms(p->pause);
  if (size >= p->least && p->written <= room) memset(to, 'z', p->written);
  __atomic_fetch_add(&p->done, 1, __ATOMIC_RELEASE);
  return size >= p->least ? p->written : 0;
}

/* Of the blocks of logs and of spans in the batch that waits. */
static void check_codecs(tachy_codec logs, tachy_codec spans) {
  tachy_batch *const batch = tachy_batch_take(1000, NULL);
  CHECK(batch != NULL && tachy_batch_block_count(batch) == 3);
  CHECK(tachy_batch_codec(batch, 0) == logs && tachy_batch_codec(batch, 2) == spans);
  uint64_t size;
  const char *const body = tachy_batch_body(batch, 2, &size);
  if (spans == TACHY_CODEC_ZSTD) CHECK(size == 100 && body[0] == 'z' && body[99] == 'z');
  tachy_batch_done(batch, TACHY_SENT);
}

/* A sender's compressor works on what is cut in the sender's turn, before that lies in a file. */
static void spool_compressed(void) {
  packing p = {.least = 10000, .written = 100};
  CHECK(tachy_start(&patient) == TACHY_OK);
  tachy_sender_compresses(0, TACHY_CODEC_ZSTD, pack, &p);
  const uint64_t turn = tachy_sender_begin(0);
  CHECK(turn != 0);
  tachy_sender_compresses(turn + 1, TACHY_CODEC_ZSTD, pack, &p);
  tachy_sender_compresses(turn, TACHY_CODEC_NONE, pack, &p);
  record_batches(0, 1, 5000);
  CHECK(p.begun == 0 && get_stats().compressor_ns == 0);
  const uint64_t plain = list_files()->bytes;
  check_codecs(TACHY_CODEC_NONE, TACHY_CODEC_NONE);
  tachy_sender_compresses(turn, TACHY_CODEC_ZSTD, pack, &p);
  record_batches(1, 2, 5000);
  CHECK(p.begun == 3 && list_files()->bytes < plain / 2);
  CHECK(get_stats().compressor_ns > 0 && get_stats().compressor_ns < get_stats().collector_ns);
  CHECK(tachy_batch_take_raw() == NULL);
  check_codecs(TACHY_CODEC_NONE, TACHY_CODEC_ZSTD);
  tachy_sender_end(turn);
  record_batches(2, 3, 5000);
  CHECK(p.begun == 3);
  check_codecs(TACHY_CODEC_NONE, TACHY_CODEC_NONE);
  const uint64_t next = tachy_sender_begin(0);
  p.written = (uint64_t)-70; /* an error of a library's */
  tachy_sender_compresses(next, TACHY_CODEC_ZSTD, pack, &p);
  record_batches(3, 4, 5000);
  CHECK(next > turn && p.begun == 6);
  check_codecs(TACHY_CODEC_NONE, TACHY_CODEC_NONE);
  tachy_sender_compresses(next, TACHY_CODEC_NONE, NULL, NULL);
  record_batches(4, 5, 5000);
  CHECK(p.begun == 6);
  check_codecs(TACHY_CODEC_NONE, TACHY_CODEC_NONE);
  tachy_stop(0);
}

static void *cut(void *unused) {
  CHECK(tachy_flush_begin(20000) != 0);
  return unused;
}

static void *end_turn(void *turn) {
  tachy_sender_end(*(const uint64_t *)turn);
  return NULL;
}

/* A turn ends while its compressor is at work. Meanwhile it also gets another one, or (twice) ends on a second thread,
 * and the next sender has that of nobody but itself. */
static void turn_ends(uint64_t round, int twice) {
  packing first = {.pause = 30, .written = 100}, late = {.written = 100}, next = {.written = 100};
  uint64_t turn = tachy_sender_begin(0);
  CHECK(turn != 0);
  tachy_sender_compresses(turn, TACHY_CODEC_ZSTD, pack, &first);
  record(5000);
  team others = {0};
  team_add(&others, cut, NULL);
  while (__atomic_load_n(&first.begun, __ATOMIC_RELAXED) == 0) sleep_ms(1);
  team_add(&others, end_turn, &turn);
  if (twice) team_add(&others, end_turn, &turn);
  sleep_ms(10);
  if (!twice) tachy_sender_compresses(turn, TACHY_CODEC_ZSTD, pack, &late);
  const uint64_t second = tachy_sender_begin(20000);
  CHECK(second > turn && first.begun == 3 && first.done == 3);
  if (twice) tachy_sender_compresses(second, TACHY_CODEC_ZSTD, pack, &next);
  team_join(&others);
  CHECK(tachy_sender_begin(0) == 0);
  check_codecs(TACHY_CODEC_ZSTD, TACHY_CODEC_ZSTD);
  record_batches(round, round + 1, 5000);
  CHECK(first.begun == 3 && late.begun == 0 && next.begun == (twice ? 3u : 0u));
  check_codecs(twice ? TACHY_CODEC_ZSTD : TACHY_CODEC_NONE, twice ? TACHY_CODEC_ZSTD : TACHY_CODEC_NONE);
  tachy_sender_end(second);
}

static void spool_turns(void) {
  CHECK(tachy_start(&patient) == TACHY_OK);
  for (uint64_t i = 0; i < 8; i++) turn_ends(2 * i + 1, i % 2 != 0);
  tachy_stop(0);
}

/* Storage that takes nothing: batches wait in memory, which the stats say, and arrive. */
static void spool_nowhere(void) {
  const char *const folders[] = {"/does/not/exist", "/dev/null", "-"};
  for (int i = 0; i < 3; i++) {
    tachy_config config = patient;
    config.session_folder = folders[i];
    CHECK(tachy_start(&config) == TACHY_OK);
    record_batches(0, 3, 100);
    tachy_stats s = get_stats();
    CHECK(s.unprotected == 3 && s.spool_bytes == 0 && s.outbox_bytes > 0);
    take_over_session();
    s = end_session();
    CHECK(s.sent[TACHY_CLASS_SPAN] == 300 && s.unprotected == 4 && s.kept[TACHY_CLASS_SPAN] == 0);
  }
}

/* A file that cannot grow so far is none; what fits is protected. A second chance comes when a batch is given back. */
static void spool_full(void) {
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const rlim_t before = limit.rlim_cur;
  CHECK(tachy_start(&patient) == TACHY_OK);
  limit.rlim_cur = 30000;
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  record_batches(0, 1, 20000);
  CHECK(get_stats().unprotected == 1 && list_files()->count == 0);
  record_batches(1, 2, 100);
  CHECK(get_stats().unprotected == 1 && list_files()->count == 1);
  tachy_batch_done(tachy_batch_take(1000, NULL), TACHY_RETRY);
  CHECK(list_files()->count == 1);
  limit.rlim_cur = before;
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  tachy_batch_done(tachy_batch_take(1000, NULL), TACHY_RETRY);
  CHECK(list_files()->count == 2 && get_stats().spool_bytes >= list_files()->bytes);
  take_over_session();
  end_session();
}

/* A file that is gone, cut short or changed is a batch that is lost, and counted. */
static void spool_damaged(void) {
  tachy_config config = patient;
  config.outbox_bytes = 10000; /* hardly anything in memory */
  CHECK(tachy_start(&config) == TACHY_OK);
  record_batches(0, 5, 2000);
  const folder *const files = list_files();
  CHECK(files->count == 5);
  for (int i = 0; i < 3; i++) {
    char path[1200];
    path_of(files->names[i + 1], path, sizeof path);
    if (i == 0) CHECK(unlink(path) == 0);
    if (i == 1) CHECK(truncate(path, 1000) == 0);
    if (i == 2) {
      FILE *const file = fopen(path, "r+b");
      CHECK(file != NULL && fseek(file, -20, SEEK_END) == 0 && fputc(0xEE, file) == 0xEE && fclose(file) == 0);
    }
  }
  take_over_session();
  while (get_stats().dropped[TACHY_CLASS_SPAN] < 6000) sleep_ms(1);
  const tachy_stats s = end_session();
  CHECK(s.dropped[TACHY_CLASS_SPAN] == 6000 && s.sent[TACHY_CLASS_SPAN] == 4000);
  CHECK(list_files()->count == 0);
}

/* Memory that does not even hold the list of what waits: the oldest is lost, and counted. */
static void spool_crowd(void) {
  tachy_config config = patient;
  config.outbox_bytes = 4000;
  CHECK(tachy_start(&config) == TACHY_OK);
  for (uint64_t i = 0; i < 30; i++) {
    record_batches(i, i + 1, 100);
    CHECK(get_stats().outbox_bytes <= config.outbox_bytes);
  }
  const tachy_stats s = get_stats();
  CHECK(s.dropped[TACHY_CLASS_SPAN] > 0 && s.dropped[TACHY_CLASS_SPAN] < 3000);
  CHECK(list_files()->count == 30 - (int)s.dropped[TACHY_CLASS_SPAN] / 100);
  take_over_session();
  end_session();
}

/* A child has copies of its parent's batches, and none of its files. */
static void spool_forks(void) {
  tachy_config config = patient;
  config.outbox_bytes = 20000;
  CHECK(tachy_start(&config) == TACHY_OK);
  record_batches(0, 4, 1000);
  tachy_batch *const taken = tachy_batch_take(1000, NULL);
  fflush(capture);
  const pid_t child = fork();
  if (child == 0) {
    if (tachy_batch_take_raw() != NULL || tachy_batch_take(0, NULL) != NULL) _exit(1);
    tachy_batch_done(taken, TACHY_SENT);
    if (list_files()->count != 4) _exit(2);
    if (tachy_start(&config) != TACHY_OK) _exit(3);
    record(100);
    tachy_stop(10);
    if (get_stats().kept[TACHY_CLASS_SPAN] != 100 || get_stats().spool_bytes != 0) _exit(4);
    if (list_files()->count != 5) _exit(5);
    _exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) fprintf(stderr, "the child says %d\n", WEXITSTATUS(status));
  CHECK(status == 0 && list_files()->count == 5);
  tachy_batch_done(taken, TACHY_RETRY);
  take_over_session();
  end_session();
  CHECK(list_files()->count == 1); /* the child's */
}

/* Files lie there while the session runs, until it is killed. */
static void spool_killed(void) {
  const pid_t child = fork();
  if (child == 0) {
    tachy_config config = patient;
    config.outbox_bytes = 50000;
    if (tachy_start(&config) != TACHY_OK) _exit(1);
    record_batches(0, 10, 1000);
    raise(SIGKILL);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && list_files()->count == 10);
  capture_files();
}

/* Each loss is reported, and that comes to an end although the rows that report are dropped as well. */
static void losses_reported(void) {
  TACHY_DEFINE_INT_METRIC(metric, "spool", "metric", "");
  CHECK(tachy_start(&patient) == TACHY_OK);
  tachy_metric_int(&metric, 0, 1);
  for (int i = 0; i < 2; i++) { /* the event, then the row that reports it */
    CHECK(tachy_flush(1) == 0);
    tachy_batch *const batch = tachy_batch_take(20000, NULL);
    CHECK(batch != NULL && tachy_batch_block_count(batch) == 1);
    tachy_batch_done(batch, TACHY_REFUSED);
  }
  for (int i = 0; i < 5; i++) CHECK(tachy_flush(20000) == 1); /* there is nothing to wait for */
  CHECK(get_stats().recorded[TACHY_CLASS_METRIC] == 2 && get_stats().dropped[TACHY_CLASS_METRIC] == 2);
  record(100);
  take_over_session();
  end_session();
}

const scenario spool_scenarios[] = {{"spool_file", spool_file},           {"spool_outage", spool_outage},
                                    {"spool_budget", spool_budget},       {"spool_writes", spool_writes},
                                    {"spool_kept", spool_kept},           {"spool_raw", spool_raw},
                                    {"spool_nowhere", spool_nowhere},     {"spool_full", spool_full},
                                    {"spool_damaged", spool_damaged},     {"spool_forks", spool_forks},
                                    {"spool_crowd", spool_crowd},         {"spool_killed", spool_killed},
                                    {"losses_reported", losses_reported}, {"spool_compressed", spool_compressed},
                                    {"spool_turns", spool_turns},         {NULL, NULL}};
#endif
