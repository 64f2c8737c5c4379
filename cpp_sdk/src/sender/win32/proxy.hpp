// The proxy that the environment names for a server, as libcurl reads it: http_proxy or https_proxy by the server's
// scheme, else all_proxy; no_proxy names what goes without.
#ifndef TACHY_SENDER_PROXY_HPP
#define TACHY_SENDER_PROXY_HPP

#include "../url.hpp"

namespace tachy::sender {

enum class Proxy {
  kUnsaid,   // the environment says nothing: the system decides
  kNone,     // without one
  kNamed,    // this one
  kUnusable  // one that WinHTTP cannot speak to
};

Proxy read_proxy(const Url &server, Url *proxy);

}  // namespace tachy::sender

#endif
