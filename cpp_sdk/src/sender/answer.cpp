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

const char *header_value(const char *line, std::size_t *size, const char *name) {
  const std::size_t length = strlen(name);
  if (*size <= length || line[length] != ':') return nullptr;
  for (std::size_t i = 0; i < length; i++) {
    if (lower(line[i]) != name[i]) return nullptr;
  }
  const char *from = line + length + 1;
  const char *end = line + *size;
  while (end > from && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t')) end--;
  while (from < end && (*from == ' ' || *from == '\t')) from++;
  *size = static_cast<std::size_t>(end - from);
  return from;
}

void Answer::begin() {
  status = 0;
  retry_after_s = 0;
  control[0] = text[0] = error[0] = 0;
  text_size_ = 0;
}

void Answer::take_line(const char *line, std::size_t size) {
  if (size >= 12 && memcmp(line, "HTTP/", 5) == 0) {
    begin();
    const char *const blank = static_cast<const char *>(memchr(line, ' ', size - 3));
    for (unsigned i = 1; blank && i <= 3 && blank[i] >= '0' && blank[i] <= '9'; i++) {
      status = status * 10 + static_cast<std::uint32_t>(blank[i] - '0');
    }
    return;
  }
  std::size_t length = size;
  if (const char *const value = header_value(line, &length, "tachy-control")) {
    if (length > kControlLimit) return;
    memcpy(control, value, length);
    control[length] = 0;
    return;
  }
  length = size;
  if (const char *const value = header_value(line, &length, "retry-after")) {
    char copy[64];
    if (length >= sizeof copy) return;
    memcpy(copy, value, length);
    copy[length] = 0;
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
