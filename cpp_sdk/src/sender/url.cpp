#include "url.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "system.hpp"

namespace tachy::sender {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex(char c) {
  if (is_digit(c)) return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

std::string unescaped(const std::string &text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i++) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
    out += escape ? static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return out;
}

// One to four numbers, decimal, octal or hexadecimal, of which the last fills what is left: as inet_aton has it.
bool read_ipv4(const char *text, std::uint32_t *address) {
  std::uint64_t value = 0;
  for (unsigned part = 0; part < 4; part++) {
    if (!is_digit(*text)) return false;
    char *end = nullptr;
    const unsigned long long number = strtoull(text, &end, 0);
    const bool last = *end == 0;
    if ((!last && (*end != '.' || number > 255)) || (last && number >> (8 * (4 - part)))) return false;
    value = last ? value << (8 * (4 - part)) | number : value << 8 | number;
    if (last) {
      *address = static_cast<std::uint32_t>(value);
      return true;
    }
    text = end + 1;
  }
  return false;
}

bool is_here(std::uint32_t ipv4) { return ipv4 >> 24 == 127 || ipv4 == 0; }

bool is_here(const unsigned char (&ipv6)[16]) {
  static const unsigned char zeros[15] = {0};
  if (memcmp(ipv6, zeros, 15) == 0) return ipv6[15] <= 1;
  if (memcmp(ipv6, zeros, 10) != 0 || ipv6[10] != 0xff || ipv6[11] != 0xff) return false;
  return ipv6[12] == 127 || memcmp(ipv6 + 12, zeros, 4) == 0;
}

Address address_of(std::uint32_t ipv4) {
  Address address{};
  for (unsigned i = 0; i < 4; i++) address.bytes[i] = static_cast<unsigned char>(ipv4 >> (24 - 8 * i));
  return address;
}

// HOST, HOST:PORT, [IPV6] or [IPV6]:PORT.
bool read_authority(const std::string &text, Url *url) {
  std::size_t end = text.find(':');
  if (!text.empty() && text[0] == '[') {
    end = text.find(']');
    if (end == std::string::npos) return false;
    url->host = text.substr(1, end - 1);
    unsigned char bytes[16];
    if (!read_ipv6(url->host.substr(0, url->host.find('%')).c_str(), bytes)) return false;
    end++;
  } else {
    url->host = text.substr(0, end);
    if (url->host.empty() || url->host.find_first_of("!@{}[]$'\"^`*<>=;,+&()%|") != std::string::npos) return false;
    if (end == std::string::npos) end = text.size();
  }
  url->authority = text;
  url->port = url->https ? 443 : 80;
  if (end == text.size()) return true;
  if (text[end] != ':') return false;
  const std::string port = text.substr(end + 1);
  if (port.empty()) return true;
  for (const char c : port) {
    if (!is_digit(c)) return false;
  }
  const unsigned long number = port.size() <= 5 ? strtoul(port.c_str(), nullptr, 10) : 0;
  url->port = static_cast<unsigned>(number);
  return number > 0 && number < 65536;
}

}  // namespace

unsigned addresses_here(const std::string &given, Address (&addresses)[2]) {
  std::string host;
  for (const char c : given) host += lower(c);
  while (!host.empty() && host.back() == '.') host.pop_back();
  if (host.substr(host.rfind('.') + 1) == "localhost") {
    addresses[0] = {true, {0}};
    addresses[0].bytes[15] = 1;
    addresses[1] = address_of(0x7f000001);
    return 2;
  }
  std::uint32_t ipv4 = 0;
  if (read_ipv4(host.c_str(), &ipv4)) {
    addresses[0] = address_of(ipv4);
    return is_here(ipv4);
  }
  addresses[0].ipv6 = true;
  return read_ipv6(host.c_str(), addresses[0].bytes) && is_here(addresses[0].bytes);
}

bool read_url(const char *text, Url *url) {
  url->https = strncmp(text, "https://", 8) == 0;
  if (!url->https && strncmp(text, "http://", 7) != 0) return false;
  for (const char *c = text; *c; c++) {
    const unsigned char byte = static_cast<unsigned char>(*c);
    if (byte <= ' ' || byte >= 0x7f || byte == '?' || byte == '#' || byte == '\\') return false;
  }
  const std::string rest = text + (url->https ? 8 : 7);
  const std::size_t slash = rest.find('/');
  std::string authority = rest.substr(0, slash);
  if (slash != std::string::npos) url->path = rest.substr(slash);
  while (!url->path.empty() && url->path.back() == '/') url->path.pop_back();
  const std::size_t at = authority.rfind('@');
  if (at != std::string::npos) {
    const std::size_t colon = authority.find(':');
    url->has_user = true;
    url->user = unescaped(authority.substr(0, colon < at ? colon : at));
    if (colon < at) url->password = unescaped(authority.substr(colon + 1, at - colon - 1));
    authority.erase(0, at + 1);
  }
  if (!read_authority(authority, url)) return false;
  url->locals = addresses_here(url->host, url->addresses);
  return true;
}

std::string basic(const std::string &user, const std::string &password) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string text = user + ":" + password;
  std::string out = "Basic ";
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = i; j < i + 3; j++)
      bits = bits << 8 | (j < text.size() ? static_cast<unsigned char>(text[j]) : 0);
    for (std::size_t j = 0; j < 4; j++) out += i + j <= text.size() ? digits[bits >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

}  // namespace tachy::sender
