// How a batch travels, and what comes back. The sender (http_sender.cpp) knows when and what, a transport how:
//   posix/local.cpp     plain HTTP to this machine, on a socket; nothing to load
//   posix/curl.cpp      everything else on POSIX: libcurl, loaded when the first batch goes
//   win32/winhttp.cpp   everything on Windows
#ifndef TACHY_SENDER_TRANSPORT_HPP
#define TACHY_SENDER_TRANSPORT_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "system.hpp"
#include "url.hpp"

namespace tachy::sender {

constexpr std::uint32_t kConnectMs = 10000;

// The same for all requests.
struct Request {
  Url url;
  std::vector<std::string> headers;    // "Name: value", who we are among them
  std::string ca;                      // a file of certificates to trust; "": the system's
  std::uint32_t timeout_ms = 0;        // of one, answer included
  Bell bell;                           // rings when somebody is to look at `stopping`
  std::atomic<bool> stopping = false;  // give up what is under way
};

// What the server has said, as far as the sender wants to know.
class Answer {
 public:
  static constexpr std::size_t kTextLimit = 200;      // bytes of a body worth keeping: the reason of a refusal
  static constexpr std::size_t kControlLimit = 8191;  // of the header Tachy-Control
  static constexpr std::size_t kLineLimit = kControlLimit + 64;  // longer lines of a head are not looked at

  void begin();
  // A line of the head, with or without its end. The last head counts, if others come before it.
  void take_line(std::string_view line);
  void take_body(const char *bytes, std::size_t size);
  // There is no answer, because of this.
  void fail(const char *what, const char *why = "");

  std::uint32_t status = 0;         // 0: there is no answer
  double retry_after_s = 0;         // 0: not said
  char control[kControlLimit + 1];  // "": none, or one that is too long
  char text[kTextLimit + 1];        // of the body, cut
  char error[256];                  // why there is none

 private:
  std::size_t text_size_ = 0;
};

// Whether the line is "name: value" with that name, in any case, given in small letters.
bool read_header(std::string_view line, std::string_view name, std::string_view *value);

class Transport {
 public:
  virtual ~Transport() = default;
  // Posts the bytes and waits for the answer, as long as the request may take or until somebody stops it.
  virtual void post(const void *bytes, std::size_t size, Answer *answer) = 0;
};

// For this request, which outlives it; on the sender's thread. nullptr: the answer says why.
Transport *make_transport(Request *request, Answer *answer);
// Before the sender's thread starts, on the program's.
void prepare_transport(const Request &request);

#if !defined(_WIN32)
Transport *make_local(Request *request);
Transport *make_curl(Request *request, Answer *answer);
#endif

}  // namespace tachy::sender

#endif
