// The sender of tachy/http_sender.h: one thread, one connection, which a transport keeps (transport.hpp).
//
// Nothing here throws or needs RTTI, and nothing runs on the program's threads but start, stop and a look at the
// counters. A pause and a transfer both end at once when the sender is stopped: its bell rings.
#include "tachy/http_sender.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "tachy/report.h"
#include "transport.hpp"

#if !defined(TACHY_NO_ZSTD)
#include <zstd.h>
#endif

using namespace tachy::sender;

namespace {

constexpr uint32_t kTakeMs = 1000;  // how long one wait for a batch takes
constexpr uint32_t kTurnMs = 1000;  // how long one wait for another part of the program that sends takes
constexpr uint32_t kHurryMs = 100;  // the longest pause once the program is stopping
constexpr char kParent[] = "TACHY_PARENT_PROCESS_ID";

// Of some hundred bytes that are copied, a few times a second: whoever meets the other waits for that.
class Spin {
 public:
  explicit Spin(std::atomic_flag &flag) : flag_(flag) {
    while (flag_.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~Spin() { flag_.clear(std::memory_order_release); }

 private:
  std::atomic_flag &flag_;
};

// Compression on one thread: zstd level 1, or none where the SDK was built without it (TACHY_NO_ZSTD).
#if defined(TACHY_NO_ZSTD)
struct Packer {
  static constexpr tachy_compressor *compressor = nullptr;
  void pack(tachy_batch *) {}
};
#else
class Packer {
 public:
  ~Packer() {
    ZSTD_freeCCtx(context_);
    free(packed_);
  }

  static uint64_t compressor(void *packer, const void *body, uint64_t size, void *to, uint64_t room) {
    return static_cast<Packer *>(packer)->compress(body, size, to, room);
  }

  // What the recorder has not had compressed: batches of other processes, and those from before this sender's turn.
  // Bodies for which memory is short travel as they are.
  void pack(tachy_batch *batch) {
    const uint32_t count = tachy_batch_block_count(batch);
    for (uint32_t block = 0; block < count; block++) {
      uint64_t size = 0;
      const void *const body = tachy_batch_body(batch, block, &size);
      if (!body || size == 0 || tachy_batch_codec(batch, block) != TACHY_CODEC_NONE) continue;
      if (!reserve(static_cast<std::size_t>(size))) return;
      const uint64_t done = compress(body, size, packed_, size - 1);
      if (done) tachy_batch_replace(batch, block, TACHY_CODEC_ZSTD, packed_, done);
    }
  }

 private:
  // A frame in which each part of the body has a block, and so codes, of its own, which saves a tenth. Of a large body
  // each part has many blocks anyway, and it would save 0.5 % for a sixth of the time. 0: no memory, or no room.
  uint64_t compress(const void *body, uint64_t size, void *to, uint64_t room) {
    if (!context_) {
      context_ = ZSTD_createCCtx();
      if (!context_) return 0;
      ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, 1);
    }
    ZSTD_CCtx_reset(context_, ZSTD_reset_session_only);
    if (ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context_, size))) return 0;
    ZSTD_inBuffer in = {body, 0, 0};
    ZSTD_outBuffer out = {to, static_cast<std::size_t>(room), 0};
    ends_[0] = size;
    const uint32_t parts = size > kDividedMax ? 1 : tachy_body_parts(body, size, ends_, TACHY_BODY_PARTS_MAX);
    for (uint32_t i = 0; i < parts; i++) {
      in.size = static_cast<std::size_t>(ends_[i]);
      if (ZSTD_compressStream2(context_, &out, &in, i + 1 < parts ? ZSTD_e_flush : ZSTD_e_end) != 0) return 0;
    }
    return out.pos;
  }

  bool reserve(std::size_t size) {
    if (size <= room_) return true;
    free(packed_);
    packed_ = malloc(size);
    room_ = packed_ ? size : 0;
    return packed_ != nullptr;
  }

  static constexpr uint64_t kDividedMax = 1 << 20;  // bytes of a body whose parts are compressed by themselves
  ZSTD_CCtx *context_ = nullptr;
  void *packed_ = nullptr;  // room for a compressed body
  std::size_t room_ = 0;
  uint64_t ends_[TACHY_BODY_PARTS_MAX];
};
#endif

}  // namespace

struct tachy_http_sender {
  Request request;
  Thread thread;
  std::string parent;  // what TACHY_PARENT_PROCESS_ID was before; programs that this one starts find our id there
  bool had_parent = false;
  bool inherited = false;   // and we have set it
  uint64_t process_id = 0;  // whose thread it is: a forked child has only the memory

  std::atomic<bool> hurry = false;  // the program is stopping, pauses are short now
  std::atomic<uint64_t> turn = 0;   // of those who could send for this process; 0: another one does

  std::atomic_flag counting = ATOMIC_FLAG_INIT;  // of stats
  tachy_http_stats stats{};

  // The thread's own.
  Transport *transport = nullptr;
  Answer answer;
  Packer packer;
  Packer collectors;  // the recorder's collector compresses with it
  tachy_retry retry{};
  bool complained = false;

  ~tachy_http_sender() { delete transport; }

  void set(std::atomic<bool> &flag) {
    flag = true;
    request.bell.ring();
  }
  void run();
  void pack_earlier();
  bool reach();
  tachy_outcome post(tachy_batch *batch, uint32_t *pause_ms);
  tachy_outcome judge(const char *error, uint32_t *pause_ms);
  void pause(uint32_t ms);
};

namespace {

// The process is the parent of what it starts from now on.
void inherit(tachy_http_sender *sender) {
  const bool had_parent = get_environment(kParent, &sender->parent);
  char id[37];
  tachy_process_id_text(id);
  if (had_parent && sender->parent == id) return;  // whoever started the session has said it
  sender->inherited = true;
  sender->had_parent = had_parent;
  set_environment(kParent, id);
}

// The thread ends its turn itself, too: it may have got it after the stop had looked for one.
void run_thread(void *sender) {
  auto *const own = static_cast<tachy_http_sender *>(sender);
  own->run();
  tachy_sender_end(own->turn);
}

}  // namespace

// What the recorder makes of an answer, or of there being none (status 0), counted with the reason.
tachy_outcome tachy_http_sender::judge(const char *error, uint32_t *pause_ms) {
  const tachy_outcome outcome = tachy_retry_answer(&retry, answer.status, answer.retry_after_s, pause_ms);
  if (outcome == TACHY_SENT) error = "";
  const Spin spin(counting);
  stats.requests++;
  stats.sent += outcome == TACHY_SENT;
  stats.retries += outcome == TACHY_RETRY;
  stats.refused += outcome == TACHY_REFUSED;
  snprintf(stats.error, sizeof stats.error, "%s", error);
  return outcome;
}

// What was made before the recorder had a compressor: it may have to wait, and more of it fits into the session folder.
void tachy_http_sender::pack_earlier() {
  while (!request.stopping && !hurry) {
    tachy_batch *const batch = tachy_batch_take_raw();
    if (!batch) return;
    packer.pack(batch);
    tachy_batch_done(batch, TACHY_RETRY);
  }
}

// Whether there is a way to the server, which is made when there is something to send. What is missing is said once,
// and looked for again at every try.
bool tachy_http_sender::reach() {
  if (!transport) transport = make_transport(&request, &answer);
  if (!transport && !complained) {
    char line[sizeof answer.error + 64];
    snprintf(line, sizeof line, "tachy: nothing can be sent: %s\n", answer.error);
    complain(line);
    complained = true;
  }
  return transport != nullptr;
}

tachy_outcome tachy_http_sender::post(tachy_batch *batch, uint32_t *pause_ms) {
  uint64_t size = 0;
  const void *const bytes = tachy_batch_bytes(batch, &size);
  if (!bytes) {
    answer.fail("out of memory");
  } else if (reach()) {
    transport->post(bytes, static_cast<size_t>(size), &answer);
  }
  if (answer.status == 0) return judge(answer.error, pause_ms);
  if (answer.control[0]) tachy_control(answer.control);
  char error[sizeof stats.error];
  snprintf(error, sizeof error, "HTTP %u %s", static_cast<unsigned>(answer.status), answer.text);
  return judge(error, pause_ms);
}

void tachy_http_sender::pause(uint32_t ms) {
  const uint64_t begin = now_ms();
  while (!request.stopping) {
    const uint64_t limit = hurry && ms > kHurryMs ? kHurryMs : ms;
    const uint64_t passed = now_ms() - begin;
    if (passed >= limit) return;
    request.bell.wait(limit - passed);
  }
}

void tachy_http_sender::run() {
  int ended = 0;
  while (!turn) {
    if (request.stopping) return;
    turn = tachy_sender_begin(kTurnMs);
  }
  tachy_sender_compresses(turn, TACHY_CODEC_ZSTD, Packer::compressor, &collectors);
  pack_earlier();
  tachy_recover(nullptr, nullptr);  // what earlier processes with this destination left
  while (!request.stopping) {
    tachy_batch *const batch = tachy_batch_take(kTakeMs, &ended);
    if (!batch) {
      if (ended) return;
      continue;
    }
    packer.pack(batch);
    uint32_t pause_ms = 0;
    tachy_batch_done(batch, post(batch, &pause_ms));
    if (pause_ms > 0) pause(pause_ms);
  }
}

namespace {

// What was given, else the environment's; "": neither.
const char *text_of(const char *given, const char *variable) {
  if (!given) given = getenv(variable);
  return given ? given : "";
}

bool is_token(std::string_view text) {
  for (const char c : text) {
    const bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!word && !strchr("!#$%&'*+-.^_`|~", c)) return false;
  }
  return !text.empty();
}

bool is_printable(std::string_view text, char first) {
  for (const char c : text) {
    if (c < first || c >= 0x7f) return false;
  }
  return true;
}

// The lines of config->headers; false: one of them is no header.
bool read_headers(const char *text, std::vector<std::string> *headers) {
  for (std::string_view rest = text ? text : ""; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
    const std::string_view value = line.substr(colon + 1);
    if (!is_printable(value, ' ') || value.find_first_not_of(' ') == std::string_view::npos) return false;
    headers->emplace_back(line);
  }
  return true;
}

// Who we are goes before the other headers: the key, else what the URL says before its @.
bool read_credentials(const tachy_http_config &config, Request *request) {
  const std::string_view key = text_of(config.key, "TACHY_KEY");
  if (!is_printable(key, '!')) return false;
  if (!key.empty()) {
    request->headers.push_back("Authorization: Bearer " + std::string(key));
  } else if (request->url.has_user) {
    request->headers.push_back("Authorization: " + basic(request->url.user, request->url.password));
  }
  return read_headers(config.headers, &request->headers);
}

}  // namespace

const char *tachy_http_url(const tachy_http_config *config) {
  const char *url = config ? config->url : nullptr;
  if (!url) url = getenv("TACHY_URL");
  return url ? url : TACHY_DEFAULT_URL;
}

const char *tachy_http_destination(const tachy_http_config *config, char *buffer, size_t size) {
  const std::string_view url = tachy_http_url(config);
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t at = url.substr(0, url.find('/', begin)).rfind('@');
  const bool named = at != std::string_view::npos && at >= begin;
  const std::string_view rest = url.substr(named ? at + 1 : begin);
  snprintf(buffer, size, "%.*s%.*s", static_cast<int>(begin), url.data(), static_cast<int>(rest.size()), rest.data());
  return buffer;
}

tachy_status tachy_http_sender_start(const tachy_http_config *config, tachy_http_sender **out) {
  *out = nullptr;
  const tachy_http_config given = config ? *config : tachy_http_config{};
  tachy_http_sender *const sender = new (std::nothrow) tachy_http_sender;
  if (!sender) return TACHY_ERROR_MEMORY;
  Request &request = sender->request;
  if (!read_url(tachy_http_url(&given), &request.url) || !read_credentials(given, &request)) {
    delete sender;
    return TACHY_ERROR_ARGUMENT;
  }
  request.ca = text_of(given.ca, "TACHY_CA");
  request.timeout_ms = given.timeout_ms ? given.timeout_ms : 30000;
  sender->retry.first_ms = given.retry_ms;
  sender->retry.longest_ms = given.retry_limit_ms;
  sender->process_id = process();
  prepare_transport(request);

  char pid[24];
  snprintf(pid, sizeof pid, "%llu", static_cast<unsigned long long>(sender->process_id));
  tachy_set_process_property("pid", pid);
  if (!request.bell.open() || !sender->thread.start(run_thread, sender)) {
    delete sender;
    return TACHY_ERROR_SYSTEM;
  }
  inherit(sender);
  *out = sender;
  return TACHY_OK;
}

void tachy_http_sender_get_stats(tachy_http_sender *sender, tachy_http_stats *stats) {
  const Spin spin(sender->counting);
  *stats = sender->stats;
}

void tachy_http_sender_stop(tachy_http_sender *sender, uint32_t timeout_ms) {
  if (!sender || sender->process_id != process() || tachy_forking()) return;
  if (is_alone()) return;  // the sender's thread is gone; what waits lies in its files
  sender->set(sender->hurry);
  tachy_stop(timeout_ms);
  if (sender->inherited) set_environment(kParent, sender->had_parent ? sender->parent.c_str() : nullptr);
  sender->set(sender->request.stopping);
  tachy_sender_end(sender->turn);
  sender->thread.join();
  delete sender;
}
