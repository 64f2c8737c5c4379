// Metrics of every kind of number, at the borders of int64. usage: numbers URL
#include <climits>
#include <cstddef>
#include <cstdint>
#include <tachy/tachy.hpp>

namespace {

enum class Hash : std::uint64_t { kLargest = UINT64_MAX, kSmall = 7 };

}  // namespace

int main(int, char **arguments) {
  tachy::Options options;
  options.http.url = arguments[1];
  const tachy::Session session(options);
  for (const std::uint64_t value : {UINT64_MAX, UINT64_MAX / 2 + 1, UINT64_MAX / 2, std::uint64_t{0}}) {
    TACHY_METRIC("uint64", value, "n");
    TACHY_METRIC("unsigned long long", static_cast<unsigned long long>(value));
    TACHY_METRIC("size_t", static_cast<std::size_t>(value));
    TACHY_DEFINE_INT_METRIC(site, "", "C", "");
    tachy_metric_unsigned(&site, 0, value);
  }
  TACHY_METRIC("int64", INT64_MIN);
  TACHY_METRIC("enumeration", Hash::kLargest);
  TACHY_METRIC("enumeration", Hash::kSmall);
  TACHY_METRIC("bool", true);
  TACHY_METRIC("char", static_cast<char>(-1));
  TACHY_METRIC("uchar", static_cast<unsigned char>(255));
  TACHY_METRIC("unsigned", UINT_MAX);
#if defined(__SIZEOF_INT128__) && !defined(__STRICT_ANSI__)
  __extension__ using Wide = __int128;
  __extension__ using UnsignedWide = unsigned __int128;
  TACHY_METRIC("int128", static_cast<Wide>(INT64_MIN));
  TACHY_METRIC("int128", static_cast<Wide>(INT64_MIN) * 2);
  TACHY_METRIC("uint128", static_cast<UnsignedWide>(UINT64_MAX) + 1);
  TACHY_METRIC("uint128", static_cast<UnsignedWide>(-1));
  TACHY_METRIC("uint128", static_cast<UnsignedWide>(3));
#endif
  return 0;
}
