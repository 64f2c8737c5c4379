// tachy for C++17: guards and macros over the C API of tachy.h. Neither exceptions nor RTTI are needed or used.
//
//   tachy::Session session;                                   // records, and sends to TACHY_URL
//   TACHY_SPAN("Tick");                                       // until the end of the scope
//   TACHY_SPAN_VALUE("bodies", bodies.size());                // a number or a text that the span is about
//   TACHY_LOG(TACHY_LEVEL_WARN, "%s took %.1f ms", name, ms); // formatted when somebody reads it
//   TACHY_METRIC("bodies", bodies.size());                    // integer or float, as the value is
//   TACHY_FRAME();
//
// Names, targets and units are string literals: the site of a macro is a static struct, registered on first use. Every
// macro is one statement (or one declaration) and may follow an `if` without braces. TACHY_TARGET, defined before this
// header is included, is the target (category) of the macros that are not given one.
//
// TACHY_ENABLED=0, defined for the whole program or one file, makes all of it vanish: arguments are compiled, never
// evaluated. (Default: 1.)
//
// Link tachy::sdk. Only tachy::Session needs the sender; with another one, link tachy::tachy and use tachy_start and
// the macros.
#ifndef TACHY_TACHY_HPP
#define TACHY_TACHY_HPP

#include <tachy/http_sender.h>
#include <tachy/tachy.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#ifndef TACHY_TARGET
#define TACHY_TARGET ""
#endif
#ifndef TACHY_ENABLED
#define TACHY_ENABLED 1
#endif

#include <tachy/detail.hpp>

namespace tachy {

#if !TACHY_ENABLED
inline namespace disabled {
#else
inline namespace enabled {
#endif

// The settings of a session; zero is the default of each.
struct Options {
  tachy_config config{};              // of the recorder
  tachy_http_config http{};           // of the sender: the server's URL, the key
  std::uint32_t stop_timeout = 5000;  // ms: how long the end of the session may wait for the server
};

#if TACHY_ENABLED

// A part in the process's session: the first begins recording and sending, others join what runs, and the last to go
// ends both. Who sends is whoever came first, and when it goes, the next.
class Session {
 public:
  explicit Session(const char *url = nullptr) : Session(with_url(url)) {}

  explicit Session(Options options) : stop_timeout_(options.stop_timeout) {
    if (!options.config.sdk) options.config.sdk = "cpp " TACHY_VERSION;
    char destination[TACHY_DESTINATION_SIZE];
    if (!options.config.destination)
      options.config.destination = tachy_http_destination(&options.http, destination, sizeof destination);
    status_ = tachy_start(&options.config);
    if (status_ != TACHY_OK && status_ != TACHY_JOINED) return;
    const tachy_status sends = tachy_http_sender_start(&options.http, &sender_);
    if (sends == TACHY_OK) return;
    status_ = sends;
    tachy_stop(0);
  }

  ~Session() { stop(); }
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  // Whether it began, or joined (status TACHY_JOINED), and why not: a program goes on without it.
  explicit operator bool() const { return status_ == TACHY_OK || status_ == TACHY_JOINED; }
  tachy_status status() const { return status_; }

  // Ends the session before the scope does; waits for the server as long as the options say.
  void stop() {
    if (sender_) tachy_http_sender_stop(sender_, stop_timeout_);
    sender_ = nullptr;
  }

  // Waits at most timeout_ms until the server has everything that was recorded before; whether it has.
  bool flush(std::uint32_t timeout_ms = 5000) { return sender_ && tachy_flush(timeout_ms) == 1; }

  tachy_http_stats sender_stats() const {
    tachy_http_stats stats{};
    if (sender_) tachy_http_sender_get_stats(sender_, &stats);
    return stats;
  }

 private:
  static Options with_url(const char *url) {
    Options options;
    options.http.url = url;
    return options;
  }

  tachy_http_sender *sender_ = nullptr;
  tachy_status status_ = TACHY_ERROR_STATE;
  std::uint32_t stop_timeout_;
};

inline tachy_stats stats() {
  tachy_stats stats{};
  tachy_get_stats(&stats);
  return stats;
}

inline void set_process_property(const char *key, const char *value) { tachy_set_process_property(key, value); }
inline void set_thread_name(const char *name) { tachy_set_thread_name(name); }
inline void set_level(tachy_level level) { tachy_set_level(level); }
inline void set_category(const char *category, tachy_level level) { tachy_set_category(category, level); }
inline void unset_category(const char *category) { tachy_unset_category(category); }
// A trigger of the flight recorder, here and now.
inline void mark(const char *reason) { tachy_mark(reason); }
// An image, as it is to be shown: format is its media type, "image/jpeg".
inline void image(const char *name, const char *format, const void *bytes, std::size_t size) {
  tachy_image(name, format, bytes, size);
}

// A set of properties for logs and metrics. Making one takes a lock: keep it.
class Properties {
 public:
  TACHY_QUIET_ constexpr Properties() {}
  TACHY_QUIET_ Properties(std::initializer_list<tachy_property> pairs)
      : number_(tachy_property_set(pairs.begin(), pairs.size())) {}
  TACHY_QUIET_ std::uint32_t number() const { return number_; }

 private:
  std::uint32_t number_ = 0;
};

// A span, from here to the end of the scope, on this thread.
class [[nodiscard]] Span {
 public:
  TACHY_QUIET_ explicit Span(tachy_site *site) : scope_(tachy_span_begin(site)) {}
  TACHY_QUIET_ ~Span() { detail::span_end(scope_); }
  Span(const Span &) = delete;
  Span &operator=(const Span &) = delete;

 protected:
  tachy_scope scope_;
};

// Spans that follow each other without a gap, one reading of the clock between two: the phases of a frame.
class [[nodiscard]] Phases : public Span {
 public:
  TACHY_QUIET_ explicit Phases(tachy_site *first) : Span(first) {}
  TACHY_QUIET_ void next(tachy_site *site) { scope_ = tachy_phase_next(scope_, site); }
};

// A span that may end on another thread than it began on. Movable; ends once: by end(), or with its last owner.
class [[nodiscard]] AsyncSpan {
 public:
  TACHY_QUIET_ AsyncSpan() {}
  TACHY_QUIET_ explicit AsyncSpan(tachy_site *site) : span_(tachy_async_begin(site, nullptr)), open_(true) {}
  // The parent may have ended.
  TACHY_QUIET_ AsyncSpan(tachy_site *site, const AsyncSpan &parent)
      : span_(tachy_async_begin(site, parent.span_.id ? &parent.span_ : nullptr)), open_(true) {}
  TACHY_QUIET_ ~AsyncSpan() { end(); }
  TACHY_QUIET_ AsyncSpan(AsyncSpan &&other) noexcept : span_(other.span_), open_(other.open_) { other.forget(); }
  TACHY_QUIET_ AsyncSpan &operator=(AsyncSpan &&other) noexcept {
    if (this != &other) {
      end();
      span_ = other.span_;
      open_ = other.open_;
      other.forget();
    }
    return *this;
  }
  AsyncSpan(const AsyncSpan &) = delete;
  AsyncSpan &operator=(const AsyncSpan &) = delete;

  TACHY_QUIET_ AsyncSpan child(tachy_site *site) const { return AsyncSpan(site, *this); }

  TACHY_QUIET_ void end() {
    if (open_ && span_.id) tachy_async_end(&span_);
    open_ = false;
  }

  TACHY_QUIET_ std::uint64_t id() const { return span_.id; }  // 0: not recorded

  // What TACHY_ASYNC_VALUE and TACHY_ASYNC_FLOW are made of.
  template <class T>
  TACHY_QUIET_ void give(tachy_site *key, tachy_value_type type, const T &value) {
    if (open_) detail::async_value(&span_, key, type, value);
  }

 private:
  TACHY_QUIET_ void forget() {
    span_ = {};
    open_ = false;
  }

  tachy_async span_{};
  bool open_ = false;
};

#else  // the same names, empty

class Session {
 public:
  explicit Session(const char * = nullptr) {}
  explicit Session(const Options &) {}
  ~Session() {}
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;
  explicit operator bool() const { return false; }
  tachy_status status() const { return TACHY_ERROR_STATE; }
  void stop() {}
  bool flush(std::uint32_t = 0) { return false; }
  tachy_http_stats sender_stats() const { return {}; }
};

inline tachy_stats stats() { return {}; }
inline void set_process_property(const char *, const char *) {}
inline void set_thread_name(const char *) {}
inline void set_level(tachy_level) {}
inline void set_category(const char *, tachy_level) {}
inline void unset_category(const char *) {}
inline void mark(const char *) {}
inline void image(const char *, const char *, const void *, std::size_t) {}

class Properties {
 public:
  constexpr Properties() = default;
  Properties(std::initializer_list<tachy_property>) {}
  std::uint32_t number() const { return 0; }
};

class Phases {
 public:
  Phases() = default;
  ~Phases() {}
  Phases(const Phases &) = delete;
  Phases &operator=(const Phases &) = delete;
};

class AsyncSpan {
 public:
  AsyncSpan() = default;
  ~AsyncSpan() {}
  AsyncSpan(AsyncSpan &&) noexcept {}
  AsyncSpan &operator=(AsyncSpan &&) noexcept { return *this; }
  static AsyncSpan of(const char *, const char * = nullptr) { return {}; }
  static AsyncSpan of(const char *, const char *, const AsyncSpan &) { return {}; }
  void end() {}
  std::uint64_t id() const { return 0; }
};

#endif

}  // namespace enabled or disabled
}  // namespace tachy

// The family
// ------------------------------------------------------------------------------------------------------------

// TACHY_METRIC("name", value), (…, "unit"), (…, "unit", properties), (…, "unit", properties, "target"): an integer
// (bool and enumerations too) or a floating-point metric, as the value's type says. An integer that int64 cannot hold
// is recorded as a double.
#define TACHY_METRIC(...)                                                                             \
  TACHY_PICK_5_(__VA_ARGS__, TACHY_METRIC_5_, TACHY_METRIC_4_, TACHY_METRIC_3_, TACHY_METRIC_2_, _, ) \
  (__VA_ARGS__)
#define TACHY_METRIC_2_(name, value) TACHY_METRIC_3_(name, value, "")
#define TACHY_METRIC_3_(name, value, unit) TACHY_METRIC_4_(name, value, unit, ::tachy::Properties{})
#define TACHY_METRIC_4_(name, value, unit, properties) TACHY_METRIC_5_(name, value, unit, properties, TACHY_TARGET)

// TACHY_SPAN_VALUE("triangles", n), (…, "target"): a number (bool and enumerations too) or a text on the innermost open
// span of the thread. Of a key the span has the last value; a text of more than 255 bytes is cut and says so.
#define TACHY_SPAN_VALUE(...) TACHY_PICK_3_(__VA_ARGS__, TACHY_SPAN_VALUE_3_, TACHY_SPAN_VALUE_2_, _, )(__VA_ARGS__)
#define TACHY_SPAN_VALUE_2_(key, value) TACHY_SPAN_VALUE_3_(key, value, TACHY_TARGET)
#define TACHY_SPAN_VALUE_3_(key, value, target) TACHY_VALUE_ON_SPAN_(key, value_type, value, target)
// TACHY_FLOW(id), TACHY_FLOW(id, "target"): arrows lead from span to span of the same flow, a whole number or an
// address.
#define TACHY_FLOW(...) TACHY_PICK_2_(__VA_ARGS__, TACHY_FLOW_2_, TACHY_FLOW_1_, )(__VA_ARGS__)
#define TACHY_FLOW_1_(flow) TACHY_FLOW_2_(flow, TACHY_TARGET)
#define TACHY_FLOW_2_(flow, target) TACHY_VALUE_ON_SPAN_("flow", flow_type, flow, target)

// TACHY_ASYNC_VALUE(load, "bytes", n), (…, "target"); TACHY_ASYNC_FLOW(load, id), (…, "target"): of an AsyncSpan that
// has not ended, on any thread.
#define TACHY_ASYNC_VALUE(span, ...) \
  TACHY_PICK_3_(__VA_ARGS__, TACHY_ASYNC_VALUE_3_, TACHY_ASYNC_VALUE_2_, _, )(span, __VA_ARGS__)
#define TACHY_ASYNC_VALUE_2_(span, key, value) TACHY_ASYNC_VALUE_3_(span, key, value, TACHY_TARGET)
#define TACHY_ASYNC_VALUE_3_(span, key, value, target) TACHY_VALUE_ON_ASYNC_(span, key, value_type, value, target)
#define TACHY_ASYNC_FLOW(span, ...) \
  TACHY_PICK_2_(__VA_ARGS__, TACHY_ASYNC_FLOW_2_, TACHY_ASYNC_FLOW_1_, )(span, __VA_ARGS__)
#define TACHY_ASYNC_FLOW_1_(span, flow) TACHY_ASYNC_FLOW_2_(span, flow, TACHY_TARGET)
#define TACHY_ASYNC_FLOW_2_(span, flow, target) TACHY_VALUE_ON_ASYNC_(span, "flow", flow_type, flow, target)
#define TACHY_VALUE_TYPE_(type, value) \
  ::tachy::detail::type<std::remove_cv_t<std::remove_reference_t<decltype(value)>>>()

#if TACHY_ENABLED

#define TACHY_VALUE_ON_SPAN_(key, type, value, target)                                       \
  do {                                                                                       \
    TACHY_DEFINE_VALUE(tachy_site_here_, target, key);                                       \
    ::tachy::detail::span_value(&tachy_site_here_, TACHY_VALUE_TYPE_(type, value), (value)); \
  } while (0)
#define TACHY_VALUE_ON_ASYNC_(span, key, type, value, target)                \
  do {                                                                       \
    TACHY_DEFINE_VALUE(tachy_site_here_, target, key);                       \
    (span).give(&tachy_site_here_, TACHY_VALUE_TYPE_(type, value), (value)); \
  } while (0)

// TACHY_SPAN("Tick"), TACHY_SPAN("Tick", "game"): the rest of the scope.
#define TACHY_SPAN(...) \
  const ::tachy::Span TACHY_UNIQUE_(tachy_span_) { TACHY_SITE_OF_(TACHY_DEFINE_SPAN, __VA_ARGS__) }

// TACHY_SPAN_FUNCTION(), TACHY_SPAN_FUNCTION("game"): the same, named after the function it stands in.
#define TACHY_SPAN_FUNCTION(...) \
  const ::tachy::Span TACHY_UNIQUE_(tachy_span_) { TACHY_SITE_OF_FUNCTION_(__VA_ARGS__) }

// TACHY_PHASES(frame, "Input"); …; TACHY_PHASE(frame, "Simulate"); …: laps until the end of the scope.
#define TACHY_PHASES(variable, ...) \
  ::tachy::Phases variable { TACHY_SITE_OF_(TACHY_DEFINE_SPAN, __VA_ARGS__) }
#define TACHY_PHASE(variable, ...) (variable).next(TACHY_SITE_OF_(TACHY_DEFINE_SPAN, __VA_ARGS__))

// auto load = TACHY_ASYNC("Load"), TACHY_ASYNC("Load", "assets"), TACHY_ASYNC("Decode", "assets", load): an AsyncSpan.
#define TACHY_ASYNC(...) TACHY_PICK_3_(__VA_ARGS__, TACHY_ASYNC_3_, TACHY_ASYNC_2_, TACHY_ASYNC_1_, )(__VA_ARGS__)
#define TACHY_ASYNC_1_(name) TACHY_ASYNC_2_(name, TACHY_TARGET)
#define TACHY_ASYNC_2_(name, target) \
  ::tachy::AsyncSpan { TACHY_SITE_OF_(TACHY_DEFINE_ASYNC_SPAN, name, target) }
#define TACHY_ASYNC_3_(name, target, parent) \
  ::tachy::AsyncSpan { TACHY_SITE_OF_(TACHY_DEFINE_ASYNC_SPAN, name, target), parent }

// TACHY_LOG(TACHY_LEVEL_INFO, "printf's format", …): up to 8 arguments (numbers, bool, enumerations, pointers, const
// char *, std::string, std::string_view), evaluated only when the log is on, checked by the compiler against the
// format.
#define TACHY_LOG(level, ...) TACHY_LOG_WITH(::tachy::Properties{}, level, __VA_ARGS__)
// The same with properties, made beforehand: static const tachy::Properties forest{{"map", "forest"}};
#define TACHY_LOG_WITH(properties, level, ...)                                                                        \
  do {                                                                                                                \
    TACHY_DEFINE_LOG(tachy_site_here_, TACHY_TARGET, level, TACHY_FIRST_(__VA_ARGS__, ));                             \
    TACHY_CHECK_LOG_(__VA_ARGS__)                                                                                     \
    const std::int32_t tachy_id_ = tachy_site_on_(&tachy_site_here_);                                                 \
    if (tachy_id_ > 0) {                                                                                              \
      TACHY_PICK_10_(__VA_ARGS__, TACHY_LOG_N_, TACHY_LOG_N_, TACHY_LOG_N_, TACHY_LOG_N_, TACHY_LOG_N_, TACHY_LOG_N_, \
                     TACHY_LOG_N_, TACHY_LOG_N_, TACHY_LOG_N_, TACHY_LOG_0_, )                                        \
      (properties, __VA_ARGS__);                                                                                      \
      tachy_log_sends_(level);                                                                                        \
    }                                                                                                                 \
  } while (0)
#define TACHY_LOG_0_(properties, format) ::tachy::detail::log(&tachy_site_here_, tachy_id_, (properties).number())
#define TACHY_LOG_N_(properties, format, ...) \
  ::tachy::detail::log(&tachy_site_here_, tachy_id_, (properties).number(), __VA_ARGS__)

#define TACHY_METRIC_5_(name, value, unit, properties, target)                                                    \
  do {                                                                                                            \
    TACHY_DEFINE_SITE_(tachy_site_here_, ::tachy::detail::metric_kind<decltype(value)>(), 0, target, name, unit); \
    ::tachy::detail::metric(&tachy_site_here_, (properties).number(), (value));                                   \
  } while (0)

// TACHY_FRAME(), TACHY_FRAME("render"), TACHY_FRAME("render", "target"): the end of a frame, on this thread.
#define TACHY_FRAME(...)                                                                         \
  do {                                                                                           \
    TACHY_PICK_2_(__VA_ARGS__, TACHY_FRAME_2_, TACHY_FRAME_1_, )(tachy_site_here_, __VA_ARGS__); \
    tachy_frame_mark(&tachy_site_here_);                                                         \
  } while (0)
#define TACHY_FRAME_1_(variable, name) TACHY_FRAME_2_(variable, name, TACHY_TARGET)
#define TACHY_FRAME_2_(variable, name, target)                                                        \
  TACHY_SITE_ variable = {0,         __LINE__, TACHY_SITE_FRAME, 0, 0, TACHY_TEXT_OR_(name, "frame"), \
                          "" target, __FILE__, "ticks"}

#else

#define TACHY_SPAN(...) TACHY_PICK_2_(__VA_ARGS__, TACHY_LITERALS_2_, TACHY_LITERALS_1_, )(__VA_ARGS__)
#define TACHY_LITERALS_1_(name) static_assert(sizeof("" name) > 0, "")
#define TACHY_LITERALS_2_(name, target) static_assert(sizeof("" name) > 0 && sizeof("" target) > 0, "")
#define TACHY_SPAN_FUNCTION(...) static_assert(sizeof("" __VA_ARGS__) > 0, "")
#define TACHY_PHASES(variable, ...) \
  [[maybe_unused]] const ::tachy::Phases variable {}
#define TACHY_PHASE(variable, ...) static_cast<void>(variable)
#define TACHY_ASYNC(...) ::tachy::AsyncSpan::of("" __VA_ARGS__)
#define TACHY_LOG(level, ...) TACHY_LOG_WITH(::tachy::Properties{}, level, __VA_ARGS__)
#define TACHY_LOG_WITH(properties, level, ...)           \
  do {                                                   \
    TACHY_CHECK_LOG_(__VA_ARGS__)                        \
    if (false) static_cast<void>((properties).number()); \
  } while (0)
#define TACHY_METRIC_5_(name, value, unit, properties, target)                                          \
  do {                                                                                                  \
    if (false)                                                                                          \
      ::tachy::detail::ignore("" name, ::tachy::detail::metric_kind<decltype(value)>(), value, "" unit, \
                              (properties).number(), "" target);                                        \
  } while (0)
#define TACHY_VALUE_ON_SPAN_(key, type, value, target)                                            \
  do {                                                                                            \
    if (false) ::tachy::detail::ignore("" key, TACHY_VALUE_TYPE_(type, value), value, "" target); \
  } while (0)
#define TACHY_VALUE_ON_ASYNC_(span, key, type, value, target)                                                  \
  do {                                                                                                         \
    if (false) ::tachy::detail::ignore((span).id(), "" key, TACHY_VALUE_TYPE_(type, value), value, "" target); \
  } while (0)
#define TACHY_FRAME(...) static_cast<void>(0)

#endif

#endif
