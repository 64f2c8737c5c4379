// Tracy, as a C++ and as a C program uses it. PEER_CONNECTED: somebody reads all that it sends, asks nothing, and
// throws it away, so that its queues do not grow.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "peer.h"
#include "work.h"

// after ours: these define macros of everyday names
#include <tracy/TracyC.h>

#include <common/TracyProtocol.hpp>
#include <tracy/Tracy.hpp>

namespace {

volatile std::int64_t integer = 42;
std::uint64_t last_reading;

void loop_empty(std::uint32_t n) {
  for (; n; n--) __asm__ volatile("" ::: "memory");
}

void loop_span(std::uint32_t n) {
  for (; n; n--) {
    { ZoneScopedN("span"); }
    __asm__ volatile("" ::: "memory");
  }
}

void loop_c_span(std::uint32_t n) {
  for (; n; n--) {
    TracyCZoneN(zone, "span", 1);
    TracyCZoneEnd(zone);
    __asm__ volatile("" ::: "memory");
  }
}

void loop_text(std::uint32_t n) {
  for (; n; n--) {
    TracyMessage("short text", 10);
    __asm__ volatile("" ::: "memory");
  }
}

void loop_plot(std::uint32_t n) {
  for (; n; n--) {
    TracyPlot("int", static_cast<std::int64_t>(integer));
    __asm__ volatile("" ::: "memory");
  }
}

void loop_work_clocks(std::uint32_t n) {
  for (; n; n--) {
    last_reading = tachy_ticks();
    bench_work();
    last_reading = tachy_ticks();
    __asm__ volatile("" ::: "memory");
  }
}

void loop_work_span(std::uint32_t n) {
  for (; n; n--) {
    ZoneScopedN("work");
    bench_work();
  }
}

constexpr tracy::SourceLocationData kSites[] = {
    {"frame", "f", "game.cpp", 1, 0},  {"physics", "f", "game.cpp", 2, 0}, {"ai", "f", "game.cpp", 3, 0},
    {"render", "f", "game.cpp", 4, 0}, {"audio", "f", "game.cpp", 5, 0},   {"part", "f", "game.cpp", 6, 0},
    {"entity", "f", "game.cpp", 7, 0}, {"query", "f", "game.cpp", 8, 0},
};
#define BENCH_OPEN(scope, site) std::optional<tracy::ScopedZone> scope(std::in_place, &kSites[site], -1, true)
#define BENCH_CLOSE(scope) scope.reset()
#include "frame.h"

std::atomic<std::uint64_t> received{0};
std::atomic<std::uint64_t> viewer_ns{0};

bool receive_all(int connection, void *into, std::size_t size) {
  return recv(connection, into, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

// Says what tracy-capture says first, then reads for as long as the program lives.
bool connect_to_myself() {
  const char *const port = std::getenv("TRACY_PORT");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port ? std::atoi(port) : 0));
  int connection = -1;
  for (int tries = 0; tries < 500; tries++) {  // until its thread listens
    connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0) break;
    close(connection);
    connection = -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (connection < 0) return false;
  const std::uint32_t version = tracy::ProtocolVersion;
  send(connection, tracy::HandshakeShibboleth, tracy::HandshakeShibbolethSize, 0);
  send(connection, &version, sizeof version, 0);
  tracy::HandshakeStatus status;
  tracy::WelcomeMessage welcome;
  if (!receive_all(connection, &status, sizeof status) || status != tracy::HandshakeWelcome) return false;
  if (!receive_all(connection, &welcome, sizeof welcome)) return false;
  if (welcome.pid != static_cast<std::uint64_t>(getpid())) return false;  // another program has the port
  std::thread([connection] {
    static char buffer[1 << 20];
    timespec cpu;
    for (ssize_t size; (size = recv(connection, buffer, sizeof buffer, 0)) > 0;) {
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
      viewer_ns = static_cast<std::uint64_t>(cpu.tv_sec) * 1000000000u + static_cast<std::uint64_t>(cpu.tv_nsec);
      received += static_cast<std::uint64_t>(size);
    }
  }).detach();
  return true;
}

// Its thread looks every 10 ms whether there is something: the queue then holds a few windows, not all of them.
void drain() {
  if (PEER_CONNECTED) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// Until nothing has come for a few of those looks.
void wait_until_quiet() {
  for (std::uint64_t before = ~UINT64_C(0); before != received;) {
    before = received;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

int main(int argc, char **argv) {
  // what nobody reads stays in memory, 400 kB a round: not with two threads, which need more windows than one
  const int threads = PEER_CONNECTED ? 2 : 1;
  const bench_case cases[] = {
    {"empty", loop_empty, nullptr, 0, 1, nullptr},
    {PEER_NAME "_span", loop_span, nullptr, 2, threads, nullptr},
    {PEER_NAME "_c_span", loop_c_span, nullptr, 2, threads, nullptr},
#if PEER_CONNECTED
    {PEER_NAME "_text", loop_text, nullptr, 1, 2, nullptr},
    {PEER_NAME "_plot", loop_plot, nullptr, 1, 2, nullptr},
    {"work_clocks", loop_work_clocks, nullptr, 2, 1, nullptr},
    {PEER_NAME "_work_span", loop_work_span, nullptr, 2, 1, nullptr},
#endif
    {nullptr, nullptr, nullptr, 0, 0, nullptr}
  };
  if (PEER_CONNECTED && !connect_to_myself()) {
    std::fprintf(stderr, "nothing of Tracy listens at TRACY_PORT\n");
    return 1;
  }
  const peer_frames frames = {bench_frame, wait_until_quiet, [] { return viewer_ns.load(); },
                              [] { return received.load(); }};
  const int status = peer_run(argc, argv, cases, drain, PEER_CONNECTED ? &frames : nullptr);
  std::fflush(stdout);
  _exit(status);  // or it would wait for the questions that a viewer asks
}
