/* What the recorder's test programs share: a sender that writes batches to a file, checks, and stats as JSON. */
#ifndef TACHY_TESTS_NATIVE_HARNESS_H
#define TACHY_TESTS_NATIVE_HARNESS_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tachy/tachy.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

typedef struct scenario {
  const char *name;
  void (*run)(void);
} scenario;

/* The main of a program with scenarios: runs the one that argv[1] names, with the capture argv[2] if there is one. Its
 * exit status: 2 when there is no such scenario. `all` ends with one without a name. */
int run_named(int argc, char **argv, const scenario *all);

extern const scenario recording_scenarios[];
extern const scenario life_scenarios[];
extern const scenario outbox_scenarios[];
extern const scenario site_scenarios[];
extern const scenario spool_scenarios[];
extern const scenario random_scenarios[];
extern const scenario control_scenarios[];
extern const scenario flight_scenarios[];
extern const scenario retry_scenarios[];
extern const scenario copy_scenarios[];
extern const scenario value_scenarios[];
extern const scenario pace_scenarios[];

extern FILE *capture;           /* where batches go */
extern const char *plugin_path; /* a library with sites of its own */

/* That library. unload_plugin checks that it has really gone. */
void *load_plugin(void);
void (*find_in_plugin(void *library, const char *name))(void);
void unload_plugin(void *library);

/* Starts a session whose batches a thread of ours takes and writes. NULL: defaults. */
void begin_session(const tachy_config *config);
/* Only the second half: for a session that runs already. */
void take_over_session(void);
/* Stops it, waits for the sender, checks that every event is accounted for, and prints the stats as one JSON line. */
tachy_stats end_session(void);
/* Writes one batch to the capture, as the sender does. */
void write_batch(tachy_batch *batch);
tachy_stats get_stats(void);
void print_stats(const tachy_stats *stats);

typedef struct team {
  pthread_t threads[1024];
  int count;
} team;
void team_add(team *t, void *(*function)(void *), void *argument);
void team_join(team *t);

void sleep_ms(unsigned ms);
uint64_t next_random(uint64_t *state);

#endif
