// Plain HTTP to a server on this machine: no library to load, no name to look up, no proxy. One connection, kept.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <tachy/tachy.h>
#include <unistd.h>

#include <new>

#include "reader.hpp"

namespace tachy::sender {

namespace {

#if !defined(MSG_NOSIGNAL)
constexpr int MSG_NOSIGNAL = 0;  // the thread has its signals blocked
#endif

class Local final : public Transport {
 public:
  explicit Local(Request *request) : request_(request) {}
  ~Local() override { disconnect(); }
  void post(const void *bytes, std::size_t size, Answer *answer) override;

 private:
  bool connect_to(const Address &address, Answer *answer);
  bool connect_somewhere(Answer *answer);
  void disconnect();
  bool is_alive();
  bool wait(short events, std::uint64_t deadline, short *seen, Answer *answer);
  bool exchange(Answer *answer);
  bool send_more(Answer *answer);
  bool receive_more(Answer *answer);

  Request *const request_;
  int socket_ = -1;
  std::string head_;
  iovec parts_[2] = {};  // what has not been sent yet: head and body
  std::uint64_t deadline_ = 0;
  bool answering_ = false;  // some of an answer has come
  Reader reader_;
};

void Local::disconnect() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

// Waits until the socket is ready for one of the events; false: it is not, and the answer says why.
bool Local::wait(short events, std::uint64_t deadline, short *seen, Answer *answer) {
  for (;;) {
    pollfd what[] = {{socket_, events, 0}, {static_cast<int>(request_->bell.handle()), POLLIN, 0}};
    const std::uint64_t now = now_ms();
    if (request_->stopping) {
      answer->fail("stopped");
      return false;
    }
    if (now >= deadline) {
      answer->fail("timed out");
      return false;
    }
    if (poll(what, 2, static_cast<int>(deadline - now)) < 0 && errno != EINTR) {
      answer->fail(strerror(errno));
      return false;
    }
    if (what[1].revents) request_->bell.heard();
    if (!what[0].revents) continue;
    *seen = what[0].revents;
    return true;
  }
}

bool Local::connect_to(const Address &address, Answer *answer) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(static_cast<std::uint16_t>(request_->url.port));
  memcpy(&v4.sin_addr, address.bytes, 4);
  memcpy(&v6.sin6_addr, address.bytes, 16);
  const sockaddr *const to = address.ipv6 ? reinterpret_cast<sockaddr *>(&v6) : reinterpret_cast<sockaddr *>(&v4);
#if defined(SOCK_CLOEXEC)
  socket_ = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
#else
  socket_ = socket(to->sa_family, SOCK_STREAM, 0);
  if (socket_ >= 0) fcntl(socket_, F_SETFD, FD_CLOEXEC);
#endif
  int error = socket_ < 0 ? errno : 0;
  if (!error) {
    const int yes = 1;
    fcntl(socket_, F_SETFL, O_NONBLOCK);
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    const socklen_t size = address.ipv6 ? sizeof v6 : sizeof v4;
    if (connect(socket_, to, size) != 0) error = errno;
  }
  if (error == EINPROGRESS) {
    short seen = 0;
    const std::uint64_t limit = now_ms() + kConnectMs;
    if (!wait(POLLOUT, limit < deadline_ ? limit : deadline_, &seen, answer)) {
      disconnect();
      return false;
    }
    socklen_t size = sizeof error;
    getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (!error) return true;
  disconnect();
  answer->fail("could not connect: ", strerror(error));
  return false;
}

bool Local::connect_somewhere(Answer *answer) {
  for (unsigned i = 0; i < request_->url.locals; i++) {
    if (connect_to(request_->url.addresses[i], answer)) return true;
  }
  return false;
}

// Whether a kept connection still is one: nothing may come on it before a request.
bool Local::is_alive() {
  pollfd what = {socket_, POLLIN, 0};
  return poll(&what, 1, 0) == 0;
}

bool Local::send_more(Answer *answer) {
  msghdr message{};
  message.msg_iov = parts_[0].iov_len ? parts_ : parts_ + 1;
  message.msg_iovlen = parts_[0].iov_len ? 2 : 1;
  const ssize_t sent = sendmsg(socket_, &message, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return true;
    answer->fail("could not send: ", strerror(errno));
    return false;
  }
  tachy_batch_moves();
  std::size_t left = static_cast<std::size_t>(sent);
  for (iovec &part : parts_) {
    const std::size_t taken = left < part.iov_len ? left : part.iov_len;
    part.iov_base = static_cast<char *>(part.iov_base) + taken;
    part.iov_len -= taken;
    left -= taken;
  }
  return true;
}

bool Local::receive_more(Answer *answer) {
  char bytes[16384];
  const ssize_t got = recv(socket_, bytes, sizeof bytes, 0);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return true;
  if (got < 0) {
    answer->fail("could not receive: ", strerror(errno));
    return false;
  }
  if (got == 0) {
    const bool whole = reader_.end();
    if (!whole) answer->fail(answering_ ? "the answer was cut short" : "the server closed the connection");
    return whole;
  }
  answering_ = true;
  tachy_batch_moves();
  if (reader_.feed(bytes, static_cast<std::size_t>(got))) return true;
  answer->fail("the answer is not HTTP");
  return false;
}

// An answer that comes before all has been sent counts: then the server does not want the rest.
bool Local::exchange(Answer *answer) {
  reader_.begin(answer);
  answering_ = false;
  for (;;) {
    const bool sending = parts_[0].iov_len || parts_[1].iov_len;
    short seen = 0;
    if (!wait(static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN), deadline_, &seen, answer)) return false;
    if (seen & (POLLIN | POLLHUP | POLLERR)) {
      if (!receive_more(answer)) return false;
      if (reader_.done()) {
        if (sending || !reader_.keeps_connection()) disconnect();
        return true;
      }
    }
    if (sending && (seen & POLLOUT) && !send_more(answer)) return false;
  }
}

void Local::post(const void *bytes, std::size_t size, Answer *answer) {
  const Url &url = request_->url;
  deadline_ = now_ms() + request_->timeout_ms;
  head_ = "POST " + url.path + "/ingest/v1/batch HTTP/1.1\r\nHost: " + url.authority;
  for (const std::string &header : request_->headers) head_ += "\r\n" + header;
  head_ += "\r\nUser-Agent: tachy-cpp/" TACHY_VERSION "\r\nAccept: */*\r\nContent-Type: application/octet-stream";
  head_ += "\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
  if (socket_ >= 0 && !is_alive()) disconnect();
  for (;;) {
    const bool kept = socket_ >= 0;
    if (!kept && !connect_somewhere(answer)) return;
    parts_[0] = {head_.data(), head_.size()};
    parts_[1] = {const_cast<void *>(bytes), size};
    if (exchange(answer)) return;
    disconnect();
    // The server may have given a kept connection up just when this request came.
    if (!kept || answering_ || request_->stopping || now_ms() >= deadline_) return;
  }
}

}  // namespace

Transport *make_local(Request *request) { return new (std::nothrow) Local(request); }

}  // namespace tachy::sender
