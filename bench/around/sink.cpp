// A server that says 200 to every request: it costs the machine as little as a server can. Prints its URL first.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "around.hpp"

namespace {

const char kAnswer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"status\": \"stored\"}";
const char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";

bool say(int socket, const char *text) {
  const std::size_t size = std::strlen(text);
  return send(socket, text, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
}

// Requests of one connection, until it ends.
void serve(int socket) {
  static constexpr std::size_t kPiece = 1 << 18;
  std::string head(kPiece, '\0');
  std::size_t have = 0;
  for (;;) {
    const ssize_t got = recv(socket, head.data() + have, kPiece - have - 1, 0);
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
    head[have] = '\0';
    const char *const end = std::strstr(head.data(), "\r\n\r\n");
    if (!end) continue;
    const char *const length = strcasestr(head.data(), "content-length:");
    const char *const expect = strcasestr(head.data(), "expect:");
    if (expect && expect < end && !say(socket, kContinue)) break;
    std::size_t body = length && length < end ? std::strtoull(length + 15, nullptr, 10) : 0;
    const std::size_t here = have - static_cast<std::size_t>(end + 4 - head.data());
    body -= here < body ? here : body;
    while (body) {
      const ssize_t more = recv(socket, head.data(), body < kPiece ? body : kPiece, 0);
      if (more <= 0) break;
      body -= static_cast<std::size_t>(more);
    }
    if (body || !say(socket, kAnswer)) break;
    have = 0;
  }
  close(socket);
}

}  // namespace

int around::sink() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto *const any = reinterpret_cast<sockaddr *>(&address);
  if (bind(listener, any, size) != 0 || listen(listener, 64) != 0 || getsockname(listener, any, &size) != 0) {
    fail("no socket to listen on");
  }
  std::printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  for (;;) {
    const int peer = accept(listener, nullptr, nullptr);
    if (peer >= 0) std::thread(serve, peer).detach();
  }
}
