#include "proxy.hpp"

#include "../system.hpp"

namespace tachy::sender {

namespace {

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

}  // namespace

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

}  // namespace tachy::sender
