// Every macro in every form, as a test compiles it with both compilers, both standards, all warnings, with and without
// tachy. It also runs: each argument is evaluated once, and not at all where tachy is compiled out. Prints how often.
#define TACHY_TARGET "game"
#include <cstdio>
#include <string>
#include <string_view>
#include <tachy/tachy.hpp>
#include <utility>

namespace {

enum Color { kRed };
enum class Small : unsigned char { kOne = 1 };
struct Bits {
  int three : 3;
};

int evaluations = 0;

template <class T>
T counted(T value) {
  evaluations++;
  return value;
}

template <class T>
int template_function(T value) {
  TACHY_SPAN_FUNCTION();
  TACHY_SPAN("Template");
  TACHY_METRIC("value", value);
  return static_cast<int>(value);
}

inline int inline_function(const tachy::AsyncSpan &parent) {
  auto decode = TACHY_ASYNC("Decode", "io", parent);
  auto moved = std::move(decode);
  moved.end();
  return 1;
}

void without_braces(int yes, const tachy::Properties &properties) {
  if (yes) TACHY_SPAN("Then");
  if (yes)
    TACHY_SPAN_FUNCTION("else");
  else
    TACHY_LOG(TACHY_LEVEL_INFO, "plain");
  TACHY_PHASES(phase, "Input");
  if (yes)
    TACHY_PHASE(phase, "Simulate", "ai");
  else
    TACHY_FRAME();
  if (!yes)
    TACHY_LOG(TACHY_LEVEL_WARN, "%d is no", yes);
  else if (yes > 1)
    TACHY_METRIC("many", yes);
  else
    TACHY_METRIC("one", 1.0f, "share", properties, "other target");
  for (int i = 0; i < 2; i++) TACHY_FRAME("render");
  for (int i = 0; i < 2; i++) TACHY_FRAME("render", "gpu");
}

void arguments(int number, const tachy::Properties &properties) {
  const std::string string = "text";
  const std::string_view view = string;
  const char *const null = nullptr;
  const bool flag = true;
  const float single = 1;
  const long wide = 1;
  const std::size_t size = 2;
  const unsigned char byte = 3;
  const Bits bits{1};
  char array[4] = "abc";
  TACHY_LOG(TACHY_LEVEL_WARN, "%d %s %s %s %p", number, string, view, null, &number);
  TACHY_LOG(TACHY_LEVEL_DEBUG, "%d %f %.2f %ld %zu %u %s %d", flag, single, 2.5, wide, size, byte, array, bits.three);
  TACHY_LOG(TACHY_LEVEL_TRACE, "%d %u %p %s %c %x 100%%", kRed, Small::kOne, nullptr, "literal", 'c', 255u);
  TACHY_LOG_WITH(properties, TACHY_LEVEL_ERROR, "hello %s", string + "!");
  TACHY_LOG_WITH(properties, TACHY_LEVEL_FATAL, "plain");
  TACHY_METRIC("size", size);
  TACHY_METRIC("single", single, "m/s");
  TACHY_METRIC("sum", number + 1.5, "n", properties);
  TACHY_METRIC("bits", bits.three);
  TACHY_METRIC("enumeration", Small::kOne);
  TACHY_METRIC("counted", counted(1));
  TACHY_SPAN_VALUE("counted", counted(1));
  if (flag)
    TACHY_SPAN_VALUE("string", string, "other");
  else
    TACHY_FLOW(&number);
  TACHY_SPAN_VALUE("bits", bits.three);
  TACHY_SPAN_VALUE("array", array);
  TACHY_FLOW(counted(7), "other");
  TACHY_LOG(TACHY_LEVEL_INFO, "counted %d %s", counted(2), counted(string));
}

}  // namespace

int main(int count, char **) {
  {
    tachy::Options options;
    options.http.url = "http://127.0.0.1:1";
    options.stop_timeout = 0;
    const tachy::Session session(options);
    const tachy::Properties properties{{"map", "forest"}, {"mode", "test"}};
    tachy::set_thread_name("main");
    tachy::set_process_property("build", "test");
    const auto load = TACHY_ASYNC("Load");
    auto other = TACHY_ASYNC("Load", "io");
    other = TACHY_ASYNC("Load", "io", load);
    TACHY_ASYNC_VALUE(other, "path", "a.png");
    TACHY_ASYNC_VALUE(other, "share", counted(0.5f), "io");
    TACHY_ASYNC_FLOW(other, Small::kOne);
    TACHY_ASYNC_FLOW(other, &other, "io");
    without_braces(count, properties);
    arguments(count, properties);
    if (template_function(1) + template_function(2.0) + inline_function(load) != 4) return 1;
  }
  std::printf("evaluations %d\n", evaluations);
  return 0;
}
