// The address of a server. pysdk/tachy/settings.py and answers.py draw the same lines, and tests compare.
#ifndef TACHY_SENDER_URL_HPP
#define TACHY_SENDER_URL_HPP

#include <string>

namespace tachy::sender {

// Of this machine, as connect() takes it: the bytes of an IPv4 or an IPv6 address.
struct Address {
  bool ipv6;
  unsigned char bytes[16];
};

struct Url {
  bool https = false;
  std::string host;  // without the brackets of IPv6
  unsigned port = 0;
  std::string authority;  // host and port as they were given: the header Host
  std::string path;       // without slashes at its end
  std::string user, password;
  bool has_user = false;
  Address addresses[2];  // where a server on this machine listens, in the order in which to try them
  unsigned locals = 0;   // how many; 0: it is somewhere else

  std::string scheme() const { return https ? "https://" : "http://"; }
};

// false: not an http or https URL with a host, in ASCII, without query and fragment.
bool read_url(const char *text, Url *url);

// Whether a host is this machine: RFC 6761's names, and addresses in every form that a resolver takes.
unsigned addresses_here(const std::string &host, Address (&addresses)[2]);

// The value of a header that says who we are: "Basic …".
std::string basic(const std::string &user, const std::string &password);

}  // namespace tachy::sender

#endif
