/* What harness.h promises. */
#include "harness.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

FILE *capture;
const char *plugin_path;
static pthread_t sender;

void sleep_ms(unsigned ms) {
  const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&time, NULL);
}

uint64_t next_random(uint64_t *state) {
  *state += UINT64_C(0x9E3779B97F4A7C15);
  return tachy_mix64(*state);
}

void write_batch(tachy_batch *batch) {
  uint64_t size;
  const void *const bytes = tachy_batch_bytes(batch, &size);
  CHECK(bytes != NULL);
  CHECK(fwrite(bytes, 1, size, capture) == size);
}

static void *send_all(void *unused) {
  (void)unused;
  for (int ended = 0; !ended;) {
    tachy_batch *const batch = tachy_batch_take(1000, &ended);
    if (!batch) continue;
    write_batch(batch);
    tachy_batch_done(batch, TACHY_SENT);
  }
  return NULL;
}

void take_over_session(void) { CHECK(pthread_create(&sender, NULL, send_all, NULL) == 0); }

void begin_session(const tachy_config *config) {
  CHECK(tachy_start(config) == TACHY_OK);
  take_over_session();
}

tachy_stats get_stats(void) {
  tachy_stats stats;
  tachy_get_stats(&stats);
  return stats;
}

tachy_stats end_session(void) {
  tachy_stop(20000);
  pthread_join(sender, NULL);
  const tachy_stats stats = get_stats();
  for (int cls = 1; cls < 4; cls++) {
    const uint64_t not_retained = cls == TACHY_CLASS_SPAN ? stats.not_retained : 0;
    CHECK(stats.recorded[cls] == stats.dropped[cls] + stats.sent[cls] + stats.kept[cls] + not_retained);
  }
  CHECK(stats.outbox_bytes == 0 && stats.spool_bytes == 0);
  print_stats(&stats);
  return stats;
}

void print_stats(const tachy_stats *s) {
  printf("{\"process_id\": \"");
  for (int i = 0; i < 16; i++) printf("%02x", s->process_id[i]);
  static const char *const names[] = {"recorded", "dropped", "sent", "kept"};
  const uint64_t *const counts[] = {s->recorded, s->dropped, s->sent, s->kept};
  printf("\"");
  for (int i = 0; i < 4; i++) {
    printf(", \"%s\": [0, %llu, %llu, %llu]", names[i], (unsigned long long)counts[i][1],
           (unsigned long long)counts[i][2], (unsigned long long)counts[i][3]);
  }
  printf(
      ", \"threads\": %llu, \"too_deep\": %llu, \"mismatched\": %llu, \"blocks\": %llu, \"backwards\": %llu, "
      "\"not_retained\": %llu}\n",
      (unsigned long long)s->threads, (unsigned long long)s->too_deep, (unsigned long long)s->mismatched,
      (unsigned long long)s->blocks, (unsigned long long)s->clock_backwards, (unsigned long long)s->not_retained);
  fflush(stdout);
}

void team_add(team *t, void *(*function)(void *), void *argument) {
  CHECK(pthread_create(&t->threads[t->count++], NULL, function, argument) == 0);
}

void team_join(team *t) {
  while (t->count > 0) pthread_join(t->threads[--t->count], NULL);
}

#if defined(_WIN32)
void *load_plugin(void) {
  const HMODULE library = LoadLibraryA(plugin_path);
  CHECK(library != NULL);
  return library;
}

void (*find_in_plugin(void *library, const char *name))(void) {
  void (*const found)(void) = (void (*)(void))GetProcAddress((HMODULE)library, name);
  CHECK(found != NULL);
  return found;
}

void unload_plugin(void *library) {
  CHECK(FreeLibrary((HMODULE)library));
  CHECK(GetModuleHandleA(plugin_path) == NULL);
}
#else
void *load_plugin(void) {
  CHECK(plugin_path != NULL);
  void *const library = dlopen(plugin_path, RTLD_NOW);
  if (!library) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  return library;
}

void (*find_in_plugin(void *library, const char *name))(void) {
  void (*found)(void);
  *(void **)&found = dlsym(library, name);
  CHECK(found != NULL);
  return found;
}

void unload_plugin(void *library) {
  dlclose(library);
  CHECK(dlopen(plugin_path, RTLD_NOW | RTLD_NOLOAD) == NULL);
}
#endif

int run_named(int argc, char **argv, const scenario *all) {
  CHECK(argc >= 2);
  if (argc > 2) CHECK((capture = fopen(argv[2], "wb")) != NULL);
  while (all->name && strcmp(all->name, argv[1]) != 0) all++;
  if (!all->name) return 2;
  all->run();
  return capture && fclose(capture) != 0;
}
