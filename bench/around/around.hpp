// What the parts of the benchmark share. Each mode is a process of its own: memory and CPU time are a process's.
#ifndef TACHY_BENCH_AROUND_HPP
#define TACHY_BENCH_AROUND_HPP

#include <cstdint>
#include <tachy/tachy.hpp>
#include <vector>

namespace around {

constexpr std::uint32_t kPatience = 60000;  // ms: how long the recorder may take for what it must do

[[noreturn]] void fail(const char *why);
std::uint64_t clock_ns(int clock);  // CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, …
void sleep_ms(std::uint32_t ms);
double status_mb(const char *key);  // a line of /proc/self/status that is a size: "VmRSS:"
std::uint64_t dropped(const tachy_stats &stats);

// The modes; each prints one JSON object.
using Arguments = std::vector<unsigned>;
void first_event(const Arguments &);   // THREADS
void thread_lives(const Arguments &);  // TRACED THREADS AT_A_TIME
void burst(const Arguments &);         // EVENTS
void tight_loop(const Arguments &);    // MS
void collector(const Arguments &);     // ROUNDS
void idle(const Arguments &);          // YOUNG_MS MS
void flight(const Arguments &);        // ROUNDS
void tail(const Arguments &);          // MS
int sink();

}  // namespace around

#endif
