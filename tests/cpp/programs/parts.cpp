// Parts of a program with a sender each, in one session. usage: parts earlier URL | parts turns URL COUNT
//
// earlier: what was recorded before there was a sender is compressed by the first, though its server is away; prints
// the storage before and after. turns: so many senders that are stopped while they begin, and what came of the last.
#include <tachy/http_sender.h>
#include <tachy/tachy.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::uint64_t kBatches = 20;
constexpr int kLogs = 3000;

tachy_stats stats_now() {
  tachy_stats stats;
  tachy_get_stats(&stats);
  return stats;
}

tachy_http_sender *start(const tachy_http_config &config) {
  tachy_http_sender *sender = nullptr;
  if (tachy_http_sender_start(&config, &sender) == TACHY_OK) return sender;
  std::fprintf(stderr, "no sender\n");
  std::exit(1);
}

void record(tachy_site *site) {
  for (int i = 0; i < kLogs; i++) tachy_log_text(site, 0, "said again and again", 20);
}

int earlier(const tachy_http_config &config, tachy_site *site) {
  for (std::uint64_t i = 1; i <= kBatches; i++) {
    record(site);
    tachy_flush_begin(1000);
    while (stats_now().batches < i) usleep(1000);
  }
  const auto before = stats_now().spool_bytes;
  tachy_http_sender *const sender = start(config);
  auto after = before;
  for (int tries = 0; tries < 20000 && after > before / 4; tries++) {
    usleep(1000);
    after = stats_now().spool_bytes;
  }
  tachy_http_sender_stop(sender, 0);
  std::printf("%llu %llu\n", static_cast<unsigned long long>(before), static_cast<unsigned long long>(after));
  return 0;
}

int turns(const tachy_http_config &config, tachy_site *site, int count) {
  unsigned seed = 1;
  for (int i = 0; i < count; i++) {
    if (tachy_start(nullptr) != TACHY_JOINED) return 1;
    tachy_http_sender *const sender = start(config);
    for (volatile int left = rand_r(&seed) % 60000; left; left = left - 1) continue;
    tachy_http_sender_stop(sender, 0);
    const std::uint64_t turn = tachy_sender_begin(0);
    if (!turn) {
      std::printf("sender %d has left its turn behind\n", i);
      return 1;
    }
    tachy_sender_end(turn);
  }
  record(site);
  tachy_http_sender *const last = start(config);
  const bool sent = tachy_flush(20000) == 1;
  tachy_http_sender_stop(last, 5000);
  return sent ? 0 : 1;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  tachy_http_config config{};
  config.url = argv[2];
  if (tachy_start(nullptr) != TACHY_OK) return 1;
  tachy_site *const site = tachy_site_intern(TACHY_SITE_LOG, TACHY_LEVEL_INFO, "parts", "", "parts.cpp", 1, "");
  return std::strcmp(argv[1], "earlier") == 0 ? earlier(config, site) : turns(config, site, std::atoi(argv[3]));
}
