// WinHTTP: TLS, names and proxies are the system's. Asynchronous, so that a request can be given up at any time: every
// step ends with a notification from one of the system's threads, which rings a bell.
#include <tachy/tachy.h>
#include <windows.h>
#include <winhttp.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>

#include "../transport.hpp"

#if !defined(WINHTTP_ACCESS_TYPE_AUTOMATIC_PROXY)
#define WINHTTP_ACCESS_TYPE_AUTOMATIC_PROXY 4
#endif
#if !defined(WINHTTP_FLAG_SECURE_PROTOCOL_TLS1_2)
#define WINHTTP_FLAG_SECURE_PROTOCOL_TLS1_2 0x00000800
#endif
#if !defined(WINHTTP_FLAG_SECURE_PROTOCOL_TLS1_3)
#define WINHTTP_FLAG_SECURE_PROTOCOL_TLS1_3 0x00002000
#endif

namespace tachy::sender {

namespace {

constexpr DWORD kCloseMs = 100;  // how long an exchange that is given up may take to end
constexpr DWORD kPiece = 65536;  // of a body, between two looks at how it goes

enum class Proxy {
  kUnsaid,   // the environment says nothing: the system decides
  kNone,     // without one
  kNamed,    // this one
  kUnusable  // one that WinHTTP cannot speak to
};

// Whether the host is one of those that a list of names, separated by commas or blanks, lets go without: "*" is all,
// and a name also stands for what lies under it.
bool is_listed(const std::string &list, const std::string &host) {
  for (std::size_t at = 0; at < list.size();) {
    std::size_t end = list.find_first_of(", ", at);
    if (end == std::string::npos) end = list.size();
    std::string name = list.substr(at, end - at);
    at = end + 1;
    if (!name.empty() && name[0] == '.') name.erase(0, 1);
    if (name.empty()) continue;
    const bool ends = host.size() >= name.size() && host.compare(host.size() - name.size(), name.size(), name) == 0;
    if (name == "*" || (ends && (host.size() == name.size() || host[host.size() - name.size() - 1] == '.')))
      return true;
  }
  return false;
}

// The proxy that the environment names for a server, as libcurl reads it: http_proxy or https_proxy by the server's
// scheme, else all_proxy; no_proxy names what goes without.
Proxy read_proxy(const Url &server, Url *proxy) {
  std::string text;
  if (get_environment("no_proxy", &text) && is_listed(text, server.host)) return Proxy::kNone;
  if (!get_environment(server.https ? "https_proxy" : "http_proxy", &text) && !get_environment("all_proxy", &text)) {
    return Proxy::kUnsaid;
  }
  if (text.empty()) return Proxy::kNone;
  if (text.find("://") == std::string::npos) text = "http://" + text;
  return read_url(text.c_str(), proxy) && !proxy->https ? Proxy::kNamed : Proxy::kUnusable;
}

std::wstring wide(const std::string &text) { return std::wstring(text.begin(), text.end()); }  // ASCII

void say_error(Answer *answer, DWORD error) {
  char text[160] = "";
  const DWORD from = FORMAT_MESSAGE_FROM_HMODULE | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
  DWORD size = FormatMessageA(from, GetModuleHandleW(L"winhttp.dll"), error, 0, text, sizeof text, nullptr);
  while (size > 0 && static_cast<unsigned char>(text[size - 1]) <= ' ') text[--size] = 0;
  char what[32];
  snprintf(what, sizeof what, "WinHTTP error %lu%s", error, size ? ": " : "");
  answer->fail(what, text);
}

// What the system's threads have of an exchange. It lives until both have let go of it, we and they: closing a request
// that is under way need not wait for them (wine lets a blocked one end by its timeout).
struct Exchange {
  ~Exchange() {
    if (step) CloseHandle(step);
    if (closed) CloseHandle(closed);
  }
  void release() {
    if (--owners == 0) delete this;
  }
  HANDLE step = CreateEventW(nullptr, FALSE, FALSE, nullptr);    // rings when a step has ended
  HANDLE closed = CreateEventW(nullptr, FALSE, FALSE, nullptr);  // rings when nothing more will be heard of it
  std::atomic<int> owners{1};
  // What the step has ended with; written before the event rings.
  DWORD error = 0;
  DWORD size = 0;
  char piece[kPiece];  // what is sent or received
};

class WinHttp final : public Transport {
 public:
  explicit WinHttp(Request *request) : request_(request) {}
  ~WinHttp() override {
    close();
    if (connection_) WinHttpCloseHandle(connection_);
    if (session_) WinHttpCloseHandle(session_);
  }
  bool open(Answer *answer);
  void post(const void *bytes, std::size_t size, Answer *answer) override;

 private:
  static void CALLBACK notify(HINTERNET, DWORD_PTR context, DWORD status, LPVOID information, DWORD size);
  bool open_session(Answer *answer);
  bool begin(std::size_t size, Answer *answer);
  bool finished(BOOL accepted, Answer *answer);
  bool send(const char *bytes, std::size_t size, Answer *answer);
  bool receive(Answer *answer);
  void take_head(Answer *answer);
  void close();

  Request *const request_;
  Url proxy_;
  bool by_proxy_ = false;
  HINTERNET session_ = nullptr, connection_ = nullptr, request_handle_ = nullptr;
  Exchange *exchange_ = nullptr;
  std::uint64_t deadline_ = 0;
};

void CALLBACK WinHttp::notify(HINTERNET, DWORD_PTR context, DWORD status, LPVOID information, DWORD size) {
  Exchange *const exchange = reinterpret_cast<Exchange *>(context);
  if (!exchange) return;
  switch (status) {
    case WINHTTP_CALLBACK_STATUS_REQUEST_ERROR:
      exchange->error = static_cast<WINHTTP_ASYNC_RESULT *>(information)->dwError;
      break;
    case WINHTTP_CALLBACK_STATUS_READ_COMPLETE:
      exchange->size = size;
      break;
    case WINHTTP_CALLBACK_STATUS_SENDREQUEST_COMPLETE:
    case WINHTTP_CALLBACK_STATUS_WRITE_COMPLETE:
    case WINHTTP_CALLBACK_STATUS_HEADERS_AVAILABLE:
      break;
    case WINHTTP_CALLBACK_STATUS_HANDLE_CLOSING:
      SetEvent(exchange->closed);
      exchange->release();
      return;
    default:
      return;
  }
  SetEvent(exchange->step);
}

// Never a proxy for this machine; the environment's, or what the system is set to, for others.
bool WinHttp::open_session(Answer *answer) {
  const wchar_t *const agent = L"tachy-cpp/" TACHY_VERSION;
  const Proxy proxy = request_->url.locals ? Proxy::kNone : read_proxy(request_->url, &proxy_);
  if (proxy == Proxy::kUnusable) {
    answer->fail("the proxy that the environment names is not one of plain HTTP");
    return false;
  }
  by_proxy_ = proxy == Proxy::kNamed;
  if (by_proxy_) {
    const std::wstring address = wide(proxy_.authority);
    session_ = WinHttpOpen(agent, WINHTTP_ACCESS_TYPE_NAMED_PROXY, address.c_str(), nullptr, WINHTTP_FLAG_ASYNC);
  } else if (proxy == Proxy::kNone) {
    session_ = WinHttpOpen(agent, WINHTTP_ACCESS_TYPE_NO_PROXY, nullptr, nullptr, WINHTTP_FLAG_ASYNC);
  } else {
    session_ = WinHttpOpen(agent, WINHTTP_ACCESS_TYPE_AUTOMATIC_PROXY, nullptr, nullptr, WINHTTP_FLAG_ASYNC);
    // before Windows 8.1
    if (!session_)
      session_ = WinHttpOpen(agent, WINHTTP_ACCESS_TYPE_DEFAULT_PROXY, nullptr, nullptr, WINHTTP_FLAG_ASYNC);
  }
  if (!session_) say_error(answer, GetLastError());
  return session_ != nullptr;
}

// What a name of RFC 6761 means, and the addresses "all of this machine", are not everywhere known to the system.
std::wstring host_of(const Url &url) {
  if (!url.locals) return wide(url.host);
  if (url.locals == 2) return L"localhost";
  static const unsigned char zeros[16] = {0};
  if (memcmp(url.addresses[0].bytes, zeros, 16) == 0) return url.addresses[0].ipv6 ? L"::1" : L"127.0.0.1";
  return wide(url.host);
}

bool WinHttp::open(Answer *answer) {
  if (request_->url.https && !request_->ca.empty()) {
    answer->fail("a file of certificates was given: on Windows they belong in the system's store");
    return false;
  }
  if (!open_session(answer)) return false;
  DWORD protocols = WINHTTP_FLAG_SECURE_PROTOCOL_TLS1_2 | WINHTTP_FLAG_SECURE_PROTOCOL_TLS1_3;
  if (!WinHttpSetOption(session_, WINHTTP_OPTION_SECURE_PROTOCOLS, &protocols, sizeof protocols)) {
    protocols = WINHTTP_FLAG_SECURE_PROTOCOL_TLS1_2;  // before Windows 11
    WinHttpSetOption(session_, WINHTTP_OPTION_SECURE_PROTOCOLS, &protocols, sizeof protocols);
  }
  const int limit = static_cast<int>(request_->timeout_ms);
  WinHttpSetTimeouts(session_, kConnectMs, kConnectMs, limit, limit);
  connection_ =
      WinHttpConnect(session_, host_of(request_->url).c_str(), static_cast<INTERNET_PORT>(request_->url.port), 0);
  if (!connection_) say_error(answer, GetLastError());
  return connection_ != nullptr;
}

// Waits for the end of a step; false: it failed, was not in time or was given up, and the answer says so.
bool WinHttp::finished(BOOL accepted, Answer *answer) {
  if (!accepted) {
    say_error(answer, GetLastError());
    return false;
  }
  const HANDLE bells[] = {exchange_->step, reinterpret_cast<HANDLE>(request_->bell.handle())};
  for (;;) {
    const std::uint64_t now = now_ms();
    if (request_->stopping || now >= deadline_) {
      answer->fail(request_->stopping ? "stopped" : "timed out");
      return false;
    }
    if (WaitForMultipleObjects(2, bells, FALSE, static_cast<DWORD>(deadline_ - now)) == WAIT_OBJECT_0) break;
  }
  if (exchange_->error == 0) return true;
  say_error(answer, exchange_->error);
  return false;
}

bool WinHttp::begin(std::size_t size, Answer *answer) {
  exchange_ = new (std::nothrow) Exchange;
  if (!exchange_ || !exchange_->step || !exchange_->closed) {
    answer->fail("out of memory");
    return false;
  }
  const Url &url = request_->url;
  const std::wstring path = wide(url.path) + L"/ingest/v1/batch";
  const DWORD flags = url.https ? WINHTTP_FLAG_SECURE : 0;
  request_handle_ = WinHttpOpenRequest(connection_, L"POST", path.c_str(), nullptr, WINHTTP_NO_REFERER,
                                       WINHTTP_DEFAULT_ACCEPT_TYPES, flags);
  if (!request_handle_) {
    say_error(answer, GetLastError());
    return false;
  }
  const DWORD wanted = WINHTTP_CALLBACK_FLAG_ALL_COMPLETIONS | WINHTTP_CALLBACK_FLAG_HANDLES;
  DWORD_PTR context = reinterpret_cast<DWORD_PTR>(exchange_);
  if (WinHttpSetStatusCallback(request_handle_, notify, wanted, 0) == WINHTTP_INVALID_STATUS_CALLBACK ||
      !WinHttpSetOption(request_handle_, WINHTTP_OPTION_CONTEXT_VALUE, &context, sizeof context)) {
    say_error(answer, GetLastError());
    WinHttpCloseHandle(request_handle_);
    request_handle_ = nullptr;
    return false;
  }
  exchange_->owners++;  // the system, until it has closed the handle
  DWORD limit = request_->timeout_ms;
  WinHttpSetOption(request_handle_, WINHTTP_OPTION_RECEIVE_RESPONSE_TIMEOUT, &limit, sizeof limit);
  DWORD unwanted = WINHTTP_DISABLE_COOKIES | WINHTTP_DISABLE_REDIRECTS;
  WinHttpSetOption(request_handle_, WINHTTP_OPTION_DISABLE_FEATURE, &unwanted, sizeof unwanted);
  std::wstring headers = L"Content-Type: application/octet-stream\r\nHost: " + wide(url.authority);
  for (const std::string &header : request_->headers) headers += L"\r\n" + wide(header);
  if (by_proxy_ && proxy_.has_user) headers += L"\r\nProxy-Authorization: " + wide(basic(proxy_.user, proxy_.password));
  const DWORD replace = WINHTTP_ADDREQ_FLAG_ADD | WINHTTP_ADDREQ_FLAG_REPLACE;
  WinHttpAddRequestHeaders(request_handle_, headers.c_str(), static_cast<DWORD>(headers.size()), replace);
  const DWORD total = static_cast<DWORD>(size);
  return finished(
      WinHttpSendRequest(request_handle_, WINHTTP_NO_ADDITIONAL_HEADERS, 0, WINHTTP_NO_REQUEST_DATA, 0, total, context),
      answer);
}

bool WinHttp::send(const char *bytes, std::size_t size, Answer *answer) {
  while (size > 0) {
    const DWORD piece = size < kPiece ? static_cast<DWORD>(size) : kPiece;
    memcpy(exchange_->piece, bytes, piece);
    if (!finished(WinHttpWriteData(request_handle_, exchange_->piece, piece, nullptr), answer)) return false;
    tachy_batch_moves();
    bytes += piece;
    size -= piece;
  }
  return true;
}

void WinHttp::take_head(Answer *answer) {
  DWORD size = 0;
  WinHttpQueryHeaders(request_handle_, WINHTTP_QUERY_RAW_HEADERS_CRLF, WINHTTP_HEADER_NAME_BY_INDEX, nullptr, &size,
                      WINHTTP_NO_HEADER_INDEX);
  std::wstring head(size / sizeof(wchar_t), 0);
  if (size == 0 || !WinHttpQueryHeaders(request_handle_, WINHTTP_QUERY_RAW_HEADERS_CRLF, WINHTTP_HEADER_NAME_BY_INDEX,
                                        &head[0], &size, WINHTTP_NO_HEADER_INDEX)) {
    return;
  }
  std::string line;
  for (const wchar_t c : head) {
    if (c == L'\n' || c == 0) {
      answer->take_line(line);
      line.clear();
    } else {
      line += c < 0x80 ? static_cast<char>(c) : '?';
    }
  }
}

bool WinHttp::receive(Answer *answer) {
  if (!finished(WinHttpReceiveResponse(request_handle_, nullptr), answer)) return false;
  tachy_batch_moves();
  take_head(answer);
  do {
    exchange_->size = 0;
    if (!finished(WinHttpReadData(request_handle_, exchange_->piece, kPiece, nullptr), answer)) return false;
    answer->take_body(exchange_->piece, exchange_->size);
  } while (exchange_->size > 0);
  return true;
}

// Where the system has not let go of it in time, its thread will come back to our code: the module stays.
void WinHttp::close() {
  if (request_handle_) {
    WinHttpCloseHandle(request_handle_);
    if (WaitForSingleObject(exchange_->closed, kCloseMs) != WAIT_OBJECT_0) {
      HMODULE module = nullptr;
      GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                         reinterpret_cast<LPCWSTR>(reinterpret_cast<void *>(notify)), &module);
    }
  }
  request_handle_ = nullptr;
  if (exchange_) exchange_->release();
  exchange_ = nullptr;
}

void WinHttp::post(const void *bytes, std::size_t size, Answer *answer) {
  deadline_ = now_ms() + request_->timeout_ms;
  answer->begin();
  if (begin(size, answer) && send(static_cast<const char *>(bytes), size, answer)) receive(answer);
  close();
}

}  // namespace

void prepare_transport(const Request &) {}

Transport *make_transport(Request *request, Answer *answer) {
  WinHttp *const made = new (std::nothrow) WinHttp(request);
  if (made && made->open(answer)) return made;
  if (!made) answer->fail("out of memory");
  delete made;
  return nullptr;
}

}  // namespace tachy::sender
