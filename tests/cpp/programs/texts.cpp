// usage: texts URL: logs texts of every kind twice, by the macro and by tachy_log_args, which must come to the same.
#include <string>
#include <string_view>
#include <tachy/tachy.hpp>

namespace {

std::string text_of(std::size_t size, const char *piece) {
  std::string text;
  while (text.size() < size) text += piece;
  text.resize(size);
  return text;
}

void twice(const std::string &text) {
  TACHY_LOG(TACHY_LEVEL_INFO, "%s", text);
  TACHY_DEFINE_LOG(site, "", TACHY_LEVEL_INFO, "%s");
  const std::uint64_t words[] = {reinterpret_cast<std::uintptr_t>(text.data())};
  const std::uint32_t sizes[] = {static_cast<std::uint32_t>(text.size())};
  tachy_log_args(&site, 0, TACHY_ARG_TEXT, words, sizes);
}

void eight_twice(const std::string &a, const std::string &b) {
  TACHY_LOG(TACHY_LEVEL_INFO, "%s%d%s%s%.1f%s%s%p", a, 1, b, a, 2.5, b, a, nullptr);
  TACHY_DEFINE_LOG(site, "", TACHY_LEVEL_INFO, "%s%d%s%s%.1f%s%s%p");
  const auto at_a = reinterpret_cast<std::uintptr_t>(a.data());
  const auto at_b = reinterpret_cast<std::uintptr_t>(b.data());
  const auto size_a = static_cast<std::uint32_t>(a.size());
  const auto size_b = static_cast<std::uint32_t>(b.size());
  const std::uint64_t words[] = {at_a, 1, at_b, at_a, 0x4004000000000000, at_b, at_a, 0};
  const std::uint32_t sizes[] = {size_a, 0, size_b, size_a, 0, size_b, size_a, 0};
  tachy_log_args(&site, 0,
                 TACHY_ARG_TEXT | TACHY_ARG_I64 << 4 | TACHY_ARG_TEXT << 8 | TACHY_ARG_TEXT << 12 |
                     TACHY_ARG_F64 << 16 | TACHY_ARG_TEXT << 20 | TACHY_ARG_TEXT << 24 |
                     static_cast<std::uint32_t>(TACHY_ARG_POINTER) << 28,
                 words, sizes);
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 2) return 2;
  tachy::Session session(arguments[1]);
  const char *const pieces[] = {"0123456789", "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x8E\xAE ",
                                "\xFF\xC3(\xED\xA0\x80"};
  for (const char *const piece : pieces) {
    for (std::size_t size = 0; size <= 40; size++) twice(text_of(size, piece));
    for (std::size_t size = 950; size <= 1030; size++) twice(text_of(size, piece));
    if (!session.flush()) return 1;
    for (std::size_t size = 170; size <= 210; size++) eight_twice(text_of(size, piece), text_of(size / 2, piece));
    if (!session.flush()) return 1;
    for (const std::size_t size : {32767, 32768, 32769, 40000}) {
      twice(text_of(size, piece));
      if (!session.flush()) return 1;
    }
  }
  const char *const none = nullptr;
  TACHY_LOG(TACHY_LEVEL_INFO, "%s", none);
  TACHY_LOG(TACHY_LEVEL_INFO, "(null)");
  twice(std::string("a\0b", 3));
  TACHY_LOG(TACHY_LEVEL_INFO, "%s|", std::string_view());
  TACHY_LOG(TACHY_LEVEL_INFO, "|");
  return session.flush() ? 0 : 1;
}
