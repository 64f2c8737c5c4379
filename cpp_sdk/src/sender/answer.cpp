#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "transport.hpp"

namespace tachy::sender {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::int64_t days_before(int year, int month, int day) {
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t m = month <= 2 ? month + 9 : month - 3;  // from March
  return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719469;
}

// Seconds from now: a number, or a date as HTTP writes it ("Sun, 06 Nov 1994 08:49:37 GMT"). 0: it is neither, or past.
double read_retry_after(const char *text) {
  if (*text >= '0' && *text <= '9') return strtod(text, nullptr);
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  int day = 0, year = 0, hour = 0, minute = 0, second = 0;
  char month[4] = "";
  const char *const comma = strchr(text, ',');
  if (!comma || sscanf(comma + 1, "%2d %3s %4d %2d:%2d:%2d GMT", &day, month, &year, &hour, &minute, &second) != 6)
    return 0;
  const char *const found = strlen(month) == 3 ? strstr(months, month) : nullptr;
  if (!found) return 0;
  const std::int64_t days = days_before(year, static_cast<int>((found - months) / 3) + 1, day);
  const std::int64_t left =
      days * 86400 + hour * 3600 + minute * 60 + second - static_cast<std::int64_t>(time(nullptr));
  return left > 0 ? static_cast<double>(left) : 0;
}

}  // namespace

bool read_header(std::string_view line, std::string_view name, std::string_view *value) {
  if (line.size() <= name.size() || line[name.size()] != ':') return false;
  for (std::size_t i = 0; i < name.size(); i++) {
    if (lower(line[i]) != name[i]) return false;
  }
  line.remove_prefix(name.size() + 1);
  const std::size_t from = line.find_first_not_of(" \t");
  const std::size_t last = line.find_last_not_of(" \t\r\n");
  *value = from <= last && last != line.npos ? line.substr(from, last + 1 - from) : line.substr(0, 0);
  return true;
}

void Answer::begin() {
  status = 0;
  retry_after_s = 0;
  control[0] = text[0] = error[0] = 0;
  text_size_ = 0;
}

void Answer::take_line(std::string_view line) {
  std::string_view value;
  if (line.size() >= 12 && line.substr(0, 5) == "HTTP/") {
    begin();
    for (std::size_t at = line.find(' ') + 1, end = at + 3; at && at < end && at < line.size(); at++) {
      if (line[at] < '0' || line[at] > '9') break;
      status = status * 10 + static_cast<std::uint32_t>(line[at] - '0');
    }
  } else if (read_header(line, "tachy-control", &value)) {
    if (value.size() <= kControlLimit) control[value.copy(control, kControlLimit)] = 0;
  } else if (read_header(line, "retry-after", &value)) {
    char copy[64];
    if (value.size() >= sizeof copy) return;
    copy[value.copy(copy, sizeof copy)] = 0;
    retry_after_s = read_retry_after(copy);
  }
}

void Answer::take_body(const char *bytes, std::size_t size) {
  const std::size_t room = kTextLimit - text_size_;
  const std::size_t kept = size < room ? size : room;
  memcpy(text + text_size_, bytes, kept);
  text_size_ += kept;
  text[text_size_] = 0;
}

void Answer::fail(const char *what, const char *why) {
  begin();
  snprintf(error, sizeof error, "%s%s", what, why);
}

}  // namespace tachy::sender
