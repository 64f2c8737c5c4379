/* What the parts of the native benchmark share: the cases, and a thread that takes what the recorder sends. */
#ifndef TACHY_BENCH_NATIVE_BENCH_H
#define TACHY_BENCH_NATIVE_BENCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A case's site and code exist twice: in a loop, for the time, and in a function of its own, for the instructions;
 * either may be NULL. */
typedef struct bench_case {
  const char *name;
  void (*loop)(uint32_t n);
  void (*once)(void);
  double clocks; /* readings of the clock per event */
  int threads;   /* 2: also measured with two threads at once */
  void (*undo)(void);
} bench_case;

extern const bench_case bench_cases[]; /* ends with a NULL name */
void bench_prepare_cases(void);        /* property sets, levels: once the session runs */

void once_compiled_out(void); /* disabled.cpp */
#define BENCH_TEXT(name)  \
  void once_##name(void); \
  void loop_##name(uint32_t n)
BENCH_TEXT(log_c_string); /* texts.cpp */
BENCH_TEXT(log_string);
BENCH_TEXT(log_c_string_int);

/* A taker that throws away. compress: what is cut is compressed with zstd-1, as for the C++ SDK's sender. */
typedef struct bench_taken {
  uint64_t batch_ns; /* CPU: the batch's bytes and checksum */
  uint64_t wire_bytes;
} bench_taken;
void bench_start(uint64_t pool_bytes, int compress);
void bench_start_in(const char *session_folder, uint64_t pool_bytes, int compress);
bench_taken bench_stop(void);
/* Until everything recorded is taken: the chunks are read and the collector sleeps. */
void bench_drain(void);

/* A round of frame.h's frames, and the spans of one. */
enum { BENCH_FRAMES = 4000, BENCH_FRAME_SPANS = 1 + 4 * (1 + 3 * (1 + 2)) };

/* timing.c: nothing of it knows whose cases they are */
void bench_measure(const bench_case *cases, unsigned rounds, void (*drain)(void));
/* "cases": {…}, of the cases that were measured; ticks per second. */
void bench_print(const bench_case *cases, double frequency);

int bench_time(unsigned rounds);
int bench_count(unsigned calls);
int bench_memory(unsigned threads);
int bench_collector(unsigned rounds);

#ifdef __cplusplus
}
#endif

#endif
