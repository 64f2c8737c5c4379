// Values on spans, of every kind of number and text. usage: values URL
#include <climits>
#include <cstdint>
#include <string>
#include <string_view>
#include <tachy/tachy.hpp>
#include <thread>

namespace {

enum class Small : signed char { kOne = -1 };

}  // namespace

int main(int, char **arguments) {
  tachy::Options options;
  options.http.url = arguments[1];
  const tachy::Session session(options);
  const char *const null = nullptr;
  auto load = TACHY_ASYNC("Load");
  TACHY_SPAN_VALUE("nobody's", 1);
  {
    TACHY_SPAN("Outer");
    TACHY_SPAN_VALUE("name", std::string("outer"));
    {
      TACHY_SPAN("Inner");
      TACHY_SPAN_VALUE("least", INT64_MIN);
      TACHY_SPAN_VALUE("most", UINT64_MAX);
      TACHY_SPAN_VALUE("enumeration", Small::kOne);
      TACHY_SPAN_VALUE("bool", true);
      TACHY_SPAN_VALUE("float", 0.25f);
      TACHY_SPAN_VALUE("view", std::string_view("a\0b", 3));
      TACHY_SPAN_VALUE("null", null);
      TACHY_SPAN_VALUE("long", std::string(300, 'x'));
      TACHY_FLOW(7);
      TACHY_FLOW(&load);
      TACHY_FLOW(reinterpret_cast<std::uintptr_t>(&load));
    }
    TACHY_SPAN_VALUE("after", 2);
  }
  std::thread([load = std::move(load)]() mutable {
    TACHY_ASYNC_VALUE(load, "bytes", 12u);
    TACHY_ASYNC_VALUE(load, "path", "a.png");
    TACHY_ASYNC_FLOW(load, 7);
    load.end();
    TACHY_ASYNC_VALUE(load, "late", 1);
  }).join();
  return 0;
}
