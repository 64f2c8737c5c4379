// HTTPS, other machines and proxies: libcurl, loaded when the first batch goes, on the sender's thread. It and the 30
// libraries that it brings cost 6 ms of CPU and 8 MB, which a program whose server is on its machine never pays.
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <tachy/tachy.h>

#include <new>

#include "../transport.hpp"

namespace tachy::sender {

namespace {

// What is called of it. Only the types of its declarations are used: nothing is linked.
// clang-format off
#define TACHY_CURL_FUNCTIONS(F) \
  F(global_init) F(easy_init) F(easy_cleanup) F(easy_setopt) F(easy_strerror) F(multi_init) F(multi_cleanup) \
  F(multi_add_handle) F(multi_remove_handle) F(multi_perform) F(multi_info_read) F(multi_poll) \
  F(slist_append) F(slist_free_all)
// clang-format on

struct Library {
#define TACHY_MEMBER(name) decltype(&::curl_##name) name = nullptr;
  TACHY_CURL_FUNCTIONS(TACHY_MEMBER)
#undef TACHY_MEMBER
};

// Debian has a second one, by GnuTLS, with the same interface.
#if defined(__APPLE__)
constexpr const char *kNames[] = {"/usr/lib/libcurl.4.dylib"};
#else
constexpr const char *kNames[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
#endif

void *open_library(int how) {
  for (const char *const name : kNames) {
    if (void *const library = dlopen(name, RTLD_LAZY | RTLD_LOCAL | how)) return library;
  }
  return nullptr;
}

// OpenSSL would clean up at exit, before the program's static objects have gone, and a session among them could send
// nothing any more.
void keep_tls(void *library) {
  constexpr std::uint64_t kNoAtExit = 0x00080000;  // OPENSSL_INIT_NO_ATEXIT
  using Init = int (*)(std::uint64_t, const void *);
  if (const Init init = reinterpret_cast<Init>(dlsym(library, "OPENSSL_init_crypto"))) init(kNoAtExit, nullptr);
}

// false: the answer says why. It stays loaded.
bool load(Library *curl, Answer *answer) {
  static const char what[] = "libcurl, which HTTPS and servers on other machines need, ";
  void *const library = open_library(RTLD_NODELETE);
  if (!library) {
    const char *const why = dlerror();
    char text[sizeof what + 32];
    snprintf(text, sizeof text, "%scould not be loaded: ", what);
    answer->fail(text, why ? why : "");
    return false;
  }
  const char *missing = nullptr;
#define TACHY_FIND(name)                                                                  \
  curl->name = reinterpret_cast<decltype(&::curl_##name)>(dlsym(library, "curl_" #name)); \
  if (!curl->name) missing = "curl_" #name;
  TACHY_CURL_FUNCTIONS(TACHY_FIND)
#undef TACHY_FIND
  if (missing) {
    char text[sizeof what + 32];
    snprintf(text, sizeof text, "%sis too old: it lacks ", what);
    answer->fail(text, missing);
    return false;
  }
  keep_tls(library);
  if (curl->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) return true;
  answer->fail("libcurl could not be initialised");
  return false;
}

std::size_t take_body(char *bytes, std::size_t unit, std::size_t count, void *answer) {
  static_cast<Answer *>(answer)->take_body(bytes, unit * count);
  return unit * count;
}

std::size_t take_line(char *line, std::size_t unit, std::size_t count, void *answer) {
  static_cast<Answer *>(answer)->take_line({line, unit * count});
  return unit * count;
}

class Curl final : public Transport {
 public:
  Curl(Request *request, const Library &library) : request_(request), curl_(library) {}
  ~Curl() override {
    if (easy_) curl_.easy_cleanup(easy_);
    if (multi_) curl_.multi_cleanup(multi_);
    curl_.slist_free_all(headers_);
  }
  bool prepare();
  void post(const void *bytes, std::size_t size, Answer *answer) override;

 private:
  CURLcode transfer();
  void set_options();

  // Called often while a request is under way. 0: goes on.
  static int see_progress(void *to, curl_off_t, curl_off_t received, curl_off_t, curl_off_t sent) {
    Curl *const self = static_cast<Curl *>(to);
    if (self->moved_ != received + sent) tachy_batch_moves();
    self->moved_ = received + sent;
    return 0;
  }

  Request *const request_;
  const Library curl_;
  CURLM *multi_ = nullptr;
  CURL *easy_ = nullptr;
  curl_slist *headers_ = nullptr;
  curl_off_t moved_ = 0;  // bytes of the request under way
};

bool Curl::prepare() {
  multi_ = curl_.multi_init();
  easy_ = curl_.easy_init();
  headers_ = curl_.slist_append(nullptr, "Content-Type: application/octet-stream");
  // Without this line curl waits for "100 Continue" before it sends a body of more than a megabyte.
  if (!multi_ || !easy_ || !headers_ || !curl_.slist_append(headers_, "Expect:")) return false;
  for (const std::string &header : request_->headers) {
    if (!curl_.slist_append(headers_, header.c_str())) return false;
  }
  set_options();
  return true;
}

void Curl::set_options() {
  const Url &url = request_->url;
  const auto set = curl_.easy_setopt;
  set(easy_, CURLOPT_POST, 1L);
  set(easy_, CURLOPT_URL, (url.scheme() + url.authority + url.path + "/ingest/v1/batch").c_str());
  if (!request_->ca.empty()) set(easy_, CURLOPT_CAINFO, request_->ca.c_str());
  if (url.locals) set(easy_, CURLOPT_PROXY, "");  // the environment's is for the network
  set(easy_, CURLOPT_HTTPHEADER, headers_);
  set(easy_, CURLOPT_USERAGENT, "tachy-cpp/" TACHY_VERSION);
  set(easy_, CURLOPT_NOSIGNAL, 1L);
  set(easy_, CURLOPT_TCP_NODELAY, 1L);
  set(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kConnectMs));
  set(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(request_->timeout_ms));
  set(easy_, CURLOPT_WRITEFUNCTION, take_body);
  set(easy_, CURLOPT_HEADERFUNCTION, take_line);
  set(easy_, CURLOPT_NOPROGRESS, 0L);
  set(easy_, CURLOPT_XFERINFOFUNCTION, see_progress);
  set(easy_, CURLOPT_XFERINFODATA, this);
}

// Performs the easy handle's request; CURLE_ABORTED_BY_CALLBACK when the sender was stopped meanwhile.
CURLcode Curl::transfer() {
  CURLcode result = CURLE_OK;
  if (curl_.multi_add_handle(multi_, easy_) != CURLM_OK) return CURLE_FAILED_INIT;
  for (;;) {
    int active = 0;
    if (curl_.multi_perform(multi_, &active) != CURLM_OK) {
      result = CURLE_FAILED_INIT;
      break;
    }
    if (active == 0) {
      int left = 0;
      const CURLMsg *const message = curl_.multi_info_read(multi_, &left);
      result = message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
      break;
    }
    if (request_->stopping) {
      result = CURLE_ABORTED_BY_CALLBACK;
      break;
    }
    curl_waitfd bell = {static_cast<curl_socket_t>(request_->bell.handle()), CURL_WAIT_POLLIN, 0};
    curl_.multi_poll(multi_, &bell, 1, 1000, nullptr);
    if (bell.revents) request_->bell.heard();
  }
  curl_.multi_remove_handle(multi_, easy_);
  return result;
}

void Curl::post(const void *bytes, std::size_t size, Answer *answer) {
  answer->begin();
  curl_.easy_setopt(easy_, CURLOPT_WRITEDATA, answer);
  curl_.easy_setopt(easy_, CURLOPT_HEADERDATA, answer);
  curl_.easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
  curl_.easy_setopt(easy_, CURLOPT_POSTFIELDS, bytes);
  moved_ = 0;
  const CURLcode result = transfer();
  if (result != CURLE_OK) answer->fail(curl_.easy_strerror(result));
}

}  // namespace

Transport *make_curl(Request *request, Answer *answer) {
  Library library;
  if (!load(&library, answer)) return nullptr;
  Curl *const made = new (std::nothrow) Curl(request, library);
  if (made && made->prepare()) return made;
  delete made;
  answer->fail("out of memory");
  return nullptr;
}

// Two threads must not initialise a libcurl before 7.84 at once: one that the program has is initialised on its thread.
static void initialise_present() {
  void *const library = open_library(RTLD_NOLOAD);
  if (!library) return;
  using Init = CURLcode (*)(long);
  if (const Init init = reinterpret_cast<Init>(dlsym(library, "curl_global_init"))) {
    keep_tls(library);
    init(CURL_GLOBAL_DEFAULT);
  }
  dlclose(library);
}

void prepare_transport(const Request &request) {
  if (!request.url.locals || request.url.https) initialise_present();
}

Transport *make_transport(Request *request, Answer *answer) {
  if (!request->url.locals || request->url.https) return make_curl(request, answer);
  Transport *const made = make_local(request);
  if (!made) answer->fail("out of memory");
  return made;
}

}  // namespace tachy::sender
