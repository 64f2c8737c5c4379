// The sender of tachy/http_sender.h: one POSIX thread, one libcurl connection kept alive, zstd level 1.
//
// Nothing here throws or needs RTTI, and nothing runs on the program's threads but start, stop and a look at the
// counters. A pause and a transfer both end at once when the sender is stopped: the thread waits in curl_multi_poll,
// which curl_multi_wakeup ends.
#include "tachy/http_sender.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include <new>
#include <string>

namespace {

constexpr uint32_t kTakeMs = 1000;    // how long one wait for a batch takes
constexpr uint32_t kTurnMs = 60000;   // as long as another part of the program sends; its end wakes us
constexpr uint32_t kHurryMs = 100;    // the longest pause once the program is stopping
constexpr uint64_t kLookMs = 1000;    // how often batches that have come meanwhile are compressed while nothing is sent
constexpr size_t kAnswerLimit = 200;  // bytes of an answer worth keeping: the reason of a refusal
constexpr size_t kControlLimit = 8191;  // bytes of the header Tachy-Control
constexpr long kConnectMs = 10000;
constexpr char kParent[] = "TACHY_PARENT_PROCESS_ID";

uint64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000u + static_cast<uint64_t>(now.tv_nsec) / 1000000u;
}

struct Mutex {
  pthread_mutex_t &mutex;
  explicit Mutex(pthread_mutex_t &m) : mutex(m) { pthread_mutex_lock(&mutex); }
  ~Mutex() { pthread_mutex_unlock(&mutex); }
  Mutex(const Mutex &) = delete;
  Mutex &operator=(const Mutex &) = delete;
};

// RFC 6761's names, and addresses in every form that a resolver takes.
bool is_this_machine(const char *text) {
  std::string host = text;
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.find(']') - 1);
  while (!host.empty() && host.back() == '.') host.pop_back();
  const size_t dot = host.rfind('.');
  if (strcasecmp(host.c_str() + (dot == std::string::npos ? 0 : dot + 1), "localhost") == 0) return true;
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo *found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  bool is = false;
  if (found->ai_family == AF_INET) {
    const sockaddr_in *const address = reinterpret_cast<const sockaddr_in *>(found->ai_addr);
    const uint32_t ip = ntohl(address->sin_addr.s_addr);
    is = ip >> 24 == 127 || ip == 0;
  } else if (found->ai_family == AF_INET6) {
    const in6_addr &ip = reinterpret_cast<const sockaddr_in6 *>(found->ai_addr)->sin6_addr;
    is = IN6_IS_ADDR_LOOPBACK(&ip) || IN6_IS_ADDR_UNSPECIFIED(&ip) ||
         (IN6_IS_ADDR_V4MAPPED(&ip) && (ip.s6_addr[12] == 127 || memcmp(ip.s6_addr + 12, "\0\0\0", 4) == 0));
  }
  freeaddrinfo(found);
  return is;
}

struct CurlUrl {
  CURLU *const url = curl_url();
  char *part = nullptr;
  CurlUrl() = default;
  CurlUrl(const CurlUrl &) = delete;
  CurlUrl &operator=(const CurlUrl &) = delete;
  ~CurlUrl() {
    curl_free(part);
    curl_url_cleanup(url);
  }
  // A part of it until the next is asked for; nullptr: it has none.
  const char *get(CURLUPart which) {
    curl_free(part);
    part = nullptr;
    return curl_url_get(url, which, &part, 0) == CURLUE_OK ? part : nullptr;
  }
};

// Whether it is an address of a server, and whether the server is on this machine. pysdk/tachy/settings.py and
// answers.py draw the same lines, and one test compares.
bool read_url(const char *text, bool *is_local) {
  if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0) return false;
  for (const char *c = text; *c; c++) {
    const unsigned char byte = static_cast<unsigned char>(*c);
    if (byte <= ' ' || byte >= 0x7f || byte == '?' || byte == '#' || byte == '\\') return false;
  }
  if (strchr(text, ':')[3] == '/') return false;  // no host: curl would take the path's first part for one
  CurlUrl parsed;
  if (!parsed.url || curl_url_set(parsed.url, CURLUPART_URL, text, 0) != CURLUE_OK) return false;
  const char *const port = parsed.get(CURLUPART_PORT);
  if (port && atol(port) == 0) return false;
  const char *const host = parsed.get(CURLUPART_HOST);
  if (!host || !host[0]) return false;
  *is_local = is_this_machine(host);
  return true;
}

}  // namespace

struct tachy_http_sender {
  std::string url;
  uint32_t timeout_ms = 0;

  CURLM *multi = nullptr;
  CURL *easy = nullptr;
  curl_slist *headers = nullptr;
  ZSTD_CCtx *zstd = nullptr;
  pthread_t thread{};
  std::string parent;  // what TACHY_PARENT_PROCESS_ID was before; programs that this one starts find our id there
  bool had_parent = false;
  bool inherited = false;  // and we have set it
  pid_t process = 0;       // whose thread it is: a forked child has only the memory

  bool hurry = false;     // atomic: the program is stopping, pauses are short now
  bool stopping = false;  // atomic: give up what is under way
  uint64_t turn = 0;      // atomic: of those who could send for this process; 0: another one does

  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;  // of stats
  tachy_http_stats stats{};

  // The thread's own.
  void *packed = nullptr;  // room for a compressed body
  size_t packed_size = 0;
  char answer[kAnswerLimit + 1] = "";  // the server's, cut
  size_t answer_size = 0;
  char control[kControlLimit + 1] = "";  // the answer's Tachy-Control; "" when it has none, or one that is too long
  tachy_retry retry{};
  curl_off_t moved = 0;  // bytes of the request under way

  bool is(const bool &flag) const { return __atomic_load_n(&flag, __ATOMIC_ACQUIRE); }
  void set(bool &flag) {
    __atomic_store_n(&flag, true, __ATOMIC_RELEASE);
    curl_multi_wakeup(multi);
  }

  void run();
  bool reserve(size_t size);
  void compress(tachy_batch *batch);
  void pack_waiting();
  tachy_outcome post(tachy_batch *batch, uint32_t *pause_ms);
  tachy_outcome judge(uint32_t status, double retry_after_s, const char *error, uint32_t *pause_ms);
  CURLcode transfer();
  void pause(uint32_t ms);
};

namespace {

size_t keep_answer(char *bytes, size_t unit, size_t count, void *to) {
  tachy_http_sender *const sender = static_cast<tachy_http_sender *>(to);
  const size_t size = unit * count;
  const size_t room = kAnswerLimit - sender->answer_size;
  const size_t kept = size < room ? size : room;
  memcpy(sender->answer + sender->answer_size, bytes, kept);
  sender->answer_size += kept;
  sender->answer[sender->answer_size] = 0;
  return size;
}

// One line of an answer's head; the last answer counts, if others came before it.
size_t keep_control(char *line, size_t unit, size_t count, void *to) {
  static const char name[] = "tachy-control:";
  constexpr size_t kName = sizeof name - 1;
  char *const control = static_cast<tachy_http_sender *>(to)->control;
  const size_t size = unit * count;
  if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) control[0] = 0;
  if (size < kName || strncasecmp(line, name, kName) != 0) return size;
  size_t end = size;
  while (end > kName && (line[end - 1] == '\r' || line[end - 1] == '\n')) end--;
  if (end - kName > kControlLimit) return size;
  memcpy(control, line + kName, end - kName);
  control[end - kName] = 0;
  return size;
}

// Called often while a request is under way. 0: goes on.
int see_progress(void *to, curl_off_t, curl_off_t received, curl_off_t, curl_off_t sent) {
  tachy_http_sender *const sender = static_cast<tachy_http_sender *>(to);
  if (sender->moved != received + sent) tachy_batch_moves();
  sender->moved = received + sent;
  return 0;
}

// The process is the parent of what it starts from now on.
void inherit(tachy_http_sender *sender) {
  static const char digits[] = "0123456789abcdef";
  const char *const before = getenv(kParent);
  tachy_stats stats;
  tachy_get_stats(&stats);
  char id[37];
  char *at = id;
  for (unsigned i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    *at++ = digits[stats.process_id[i] >> 4];
    *at++ = digits[stats.process_id[i] & 15];
  }
  *at = 0;
  if (before && strcmp(before, id) == 0) return;  // whoever started the session has said it
  sender->inherited = true;
  sender->had_parent = before != nullptr;
  if (before) sender->parent = before;
  setenv(kParent, id, 1);
}

void *run_thread(void *sender) {
  static_cast<tachy_http_sender *>(sender)->run();
  return nullptr;
}

void release(tachy_http_sender *sender) {
  if (sender->easy) curl_easy_cleanup(sender->easy);
  if (sender->multi) curl_multi_cleanup(sender->multi);
  curl_slist_free_all(sender->headers);
  ZSTD_freeCCtx(sender->zstd);
  free(sender->packed);
  curl_global_cleanup();
  delete sender;
}

}  // namespace

// What the recorder makes of an answer, or of there being none (status 0), counted with the reason.
tachy_outcome tachy_http_sender::judge(uint32_t status, double retry_after_s, const char *error, uint32_t *pause_ms) {
  const tachy_outcome outcome = tachy_retry_answer(&retry, status, retry_after_s, pause_ms);
  if (outcome == TACHY_SENT) error = "";
  const Mutex lock(mutex);
  stats.requests++;
  stats.sent += outcome == TACHY_SENT;
  stats.retries += outcome == TACHY_RETRY;
  stats.refused += outcome == TACHY_REFUSED;
  const size_t size = strnlen(error, sizeof stats.error - 1);
  memcpy(stats.error, error, size);
  stats.error[size] = 0;
  return outcome;
}

bool tachy_http_sender::reserve(size_t size) {
  if (size <= packed_size) return true;
  free(packed);
  packed = malloc(size);
  packed_size = packed ? size : 0;
  return packed != nullptr;
}

void tachy_http_sender::compress(tachy_batch *batch) {
  const uint32_t count = tachy_batch_block_count(batch);
  for (uint32_t block = 0; block < count; block++) {
    uint64_t size = 0;
    const void *const body = tachy_batch_body(batch, block, &size);
    if (!body || size == 0 || tachy_batch_codec(batch, block) != TACHY_CODEC_NONE) continue;
    if (!reserve(ZSTD_compressBound(size))) return;  // out of memory: the bodies travel as they are
    const size_t done = ZSTD_compressCCtx(zstd, packed, packed_size, body, size, 1);
    if (!ZSTD_isError(done)) tachy_batch_replace(batch, block, TACHY_CODEC_ZSTD, packed, done);
  }
}

// What waits is compressed before its turn while the server is away or slow: more of it fits into the session folder.
void tachy_http_sender::pack_waiting() {
  while (!is(stopping) && !is(hurry)) {
    tachy_batch *const batch = tachy_batch_take_raw();
    if (!batch) return;
    compress(batch);
    tachy_batch_done(batch, TACHY_RETRY);
  }
}

// Performs the easy handle's request; CURLE_ABORTED_BY_CALLBACK when the sender was stopped meanwhile.
CURLcode tachy_http_sender::transfer() {
  CURLcode result = CURLE_OK;
  if (curl_multi_add_handle(multi, easy) != CURLM_OK) return CURLE_FAILED_INIT;
  for (;;) {
    int active = 0;
    if (curl_multi_perform(multi, &active) != CURLM_OK) {
      result = CURLE_FAILED_INIT;
      break;
    }
    if (active == 0) {
      int left = 0;
      const CURLMsg *const message = curl_multi_info_read(multi, &left);
      result = message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
      break;
    }
    if (is(stopping)) {
      result = CURLE_ABORTED_BY_CALLBACK;
      break;
    }
    curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
  curl_multi_remove_handle(multi, easy);
  return result;
}

tachy_outcome tachy_http_sender::post(tachy_batch *batch, uint32_t *pause_ms) {
  uint64_t size = 0;
  const void *const bytes = tachy_batch_bytes(batch, &size);
  if (!bytes) return judge(0, 0, "out of memory", pause_ms);
  answer_size = 0;
  answer[0] = 0;
  control[0] = 0;
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bytes);
  moved = 0;
  const CURLcode result = transfer();
  if (result != CURLE_OK) return judge(0, 0, curl_easy_strerror(result), pause_ms);
  if (control[0]) tachy_control(control);
  long status = 0;
  curl_off_t retry_after_s = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
  char error[sizeof stats.error];
  snprintf(error, sizeof error, "HTTP %ld %s", status, answer);
  return judge(static_cast<uint32_t>(status), static_cast<double>(retry_after_s), error, pause_ms);
}

void tachy_http_sender::pause(uint32_t ms) {
  const uint64_t begin = now_ms();
  while (!is(stopping)) {
    const uint64_t limit = is(hurry) && ms > kHurryMs ? kHurryMs : ms;
    const uint64_t passed = now_ms() - begin;
    if (passed >= limit) return;
    const uint64_t left = limit - passed;
    curl_multi_poll(multi, nullptr, 0, static_cast<int>(left < kLookMs ? left : kLookMs), nullptr);
    pack_waiting();
  }
}

void tachy_http_sender::run() {
  int ended = 0;
  while (!turn) {
    if (is(stopping)) return;
    __atomic_store_n(&turn, tachy_sender_begin(kTurnMs), __ATOMIC_RELEASE);
  }
  tachy_recover(nullptr, nullptr);  // what earlier processes with this destination left
  while (!is(stopping)) {
    tachy_batch *const batch = tachy_batch_take(kTakeMs, &ended);
    if (!batch) {
      if (ended) return;
      continue;
    }
    compress(batch);
    uint32_t pause_ms = 0;
    const uint64_t begin = now_ms();
    tachy_batch_done(batch, post(batch, &pause_ms));
    if (now_ms() - begin >= kLookMs) pack_waiting();
    if (pause_ms > 0) pause(pause_ms);
  }
}

const char *tachy_http_url(const tachy_http_config *config) {
  const char *url = config ? config->url : nullptr;
  if (!url) url = getenv("TACHY_URL");
  return url ? url : TACHY_DEFAULT_URL;
}

tachy_status tachy_http_sender_start(const tachy_http_config *config, tachy_http_sender **out) {
  *out = nullptr;
  const tachy_http_config given = config ? *config : tachy_http_config{};
  const char *const url = tachy_http_url(&given);
  bool is_local = false;
  if (!read_url(url, &is_local)) return TACHY_ERROR_ARGUMENT;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return TACHY_ERROR_SYSTEM;

  tachy_http_sender *const sender = new (std::nothrow) tachy_http_sender;
  if (!sender) {
    curl_global_cleanup();
    return TACHY_ERROR_MEMORY;
  }
  sender->url = url;
  while (sender->url.back() == '/') sender->url.pop_back();
  sender->url += "/ingest/v1/batch";
  sender->timeout_ms = given.timeout_ms ? given.timeout_ms : 30000;
  sender->retry.first_ms = given.retry_ms;
  sender->retry.longest_ms = given.retry_limit_ms;
  sender->multi = curl_multi_init();
  sender->easy = curl_easy_init();
  sender->zstd = ZSTD_createCCtx();
  sender->headers = curl_slist_append(nullptr, "Content-Type: application/octet-stream");
  // Without this line curl waits for "100 Continue" before it sends a body of more than a megabyte.
  curl_slist *const headers = curl_slist_append(sender->headers, "Expect:");
  if (!sender->multi || !sender->easy || !sender->zstd || !sender->headers || !headers) {
    release(sender);
    return TACHY_ERROR_MEMORY;
  }
  CURL *const easy = sender->easy;
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  if (curl_easy_setopt(easy, CURLOPT_URL, sender->url.c_str()) != CURLE_OK) {
    release(sender);
    return TACHY_ERROR_ARGUMENT;
  }
  if (is_local) curl_easy_setopt(easy, CURLOPT_PROXY, "");  // the environment's is for the network
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, sender->headers);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "tachy-cpp/" TACHY_VERSION);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(sender->timeout_ms));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_answer);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, sender);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, keep_control);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, sender);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, see_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, sender);

  sender->process = getpid();
  char pid[24];
  snprintf(pid, sizeof pid, "%lld", static_cast<long long>(sender->process));
  tachy_set_process_property("pid", pid);

  // The program's signals are the program's: none is delivered to this thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int refused = pthread_create(&sender->thread, nullptr, run_thread, sender);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (refused) {
    release(sender);
    return TACHY_ERROR_SYSTEM;
  }
  inherit(sender);
  *out = sender;
  return TACHY_OK;
}

void tachy_http_sender_get_stats(tachy_http_sender *sender, tachy_http_stats *stats) {
  const Mutex lock(sender->mutex);
  *stats = sender->stats;
}

void tachy_http_sender_stop(tachy_http_sender *sender, uint32_t timeout_ms) {
  if (!sender || sender->process != getpid() || tachy_forking()) return;
  sender->set(sender->hurry);
  tachy_stop(timeout_ms);
  if (sender->inherited && sender->had_parent) {
    setenv(kParent, sender->parent.c_str(), 1);
  } else if (sender->inherited) {
    unsetenv(kParent);
  }
  sender->set(sender->stopping);
  tachy_sender_end(__atomic_load_n(&sender->turn, __ATOMIC_ACQUIRE));
  pthread_join(sender->thread, nullptr);
  release(sender);
}
