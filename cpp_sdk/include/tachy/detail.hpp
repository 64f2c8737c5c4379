// What the macros of tachy.hpp are made of, not for use: arguments counted, sites inside expressions, log arguments
// encoded.
#ifndef TACHY_DETAIL_HPP
#define TACHY_DETAIL_HPP

#include <tachy/tachy.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#define TACHY_JOIN_2_(a, b) a##b
#define TACHY_JOIN_(a, b) TACHY_JOIN_2_(a, b)
#define TACHY_UNIQUE_(prefix) TACHY_JOIN_(prefix, __COUNTER__)

// The macro for the number of arguments: the n-th is taken when there are n, so the list runs from the most to the
// fewest.
#define TACHY_PICK_2_(a, b, chosen, ...) chosen
#define TACHY_PICK_3_(a, b, c, chosen, ...) chosen
#define TACHY_PICK_5_(a, b, c, d, e, chosen, ...) chosen
#define TACHY_PICK_10_(a, b, c, d, e, f, g, h, i, j, chosen, ...) chosen
#define TACHY_FIRST_(first, ...) first

// The address of a static site of its own, inside an expression. A statement expression, where there is one: it has the
// name of the enclosing function, and -finstrument-functions has nothing to see. Both are constant initialisation.
#define TACHY_SITE_OF_(define, ...) \
  TACHY_PICK_2_(__VA_ARGS__, TACHY_SITE_OF_2_, TACHY_SITE_OF_1_, )(define, __VA_ARGS__)
#define TACHY_SITE_OF_1_(define, name) TACHY_SITE_OF_2_(define, name, TACHY_TARGET)
#if defined(__GNUC__)
// in a program traced by -finstrument-functions, tachy itself is not
#define TACHY_QUIET_ __attribute__((always_inline, no_instrument_function))
#define TACHY_APART_ __attribute__((noinline, cold, no_instrument_function))
#define TACHY_SITE_OF_2_(define, name, target) \
  __extension__({                              \
    define(tachy_site_here_, target, name);    \
    &tachy_site_here_;                         \
  })
#define TACHY_SITE_OF_FUNCTION_(target)                                    \
  __extension__({                                                          \
    TACHY_SITE_ tachy_site_here_ = TACHY_FUNCTION_SITE_(__func__, target); \
    &tachy_site_here_;                                                     \
  })
#else
#define TACHY_QUIET_
#define TACHY_APART_ __declspec(noinline)
#define TACHY_SITE_OF_2_(define, name, target) \
  [] {                                         \
    define(tachy_site_here_, target, name);    \
    return &tachy_site_here_;                  \
  }()
#define TACHY_SITE_OF_FUNCTION_(target)                                    \
  [](const char *function) {                                               \
    TACHY_SITE_ tachy_site_here_ = TACHY_FUNCTION_SITE_(function, target); \
    return &tachy_site_here_;                                              \
  }(__func__)
#endif
#define TACHY_FUNCTION_SITE_(function, target) \
  { 0, __LINE__, TACHY_SITE_SPAN, 0, 0, (function), TACHY_TEXT_OR_(target, TACHY_TARGET), __FILE__, "" }
#define TACHY_TEXT_OR_(text, otherwise) (sizeof("" text) > 1 ? "" text : "" otherwise)

// Compiles, and never runs, a call in which the compiler checks a log's arguments against its format.
#define TACHY_CHECK_LOG_(...)                                                                                   \
  static_assert(::tachy::detail::supported(TACHY_FIRST_(__VA_ARGS__, )),                                        \
                "a log's format must not be empty and has neither * nor %n");                                   \
  if (false)                                                                                                    \
    TACHY_PICK_10_(__VA_ARGS__, TACHY_CHECK_X_, TACHY_CHECK_8_, TACHY_CHECK_7_, TACHY_CHECK_6_, TACHY_CHECK_5_, \
                   TACHY_CHECK_4_, TACHY_CHECK_3_, TACHY_CHECK_2_, TACHY_CHECK_1_, TACHY_CHECK_0_, )            \
  (__VA_ARGS__);
#define TACHY_AS_(value) ::tachy::detail::as_printf(value)
#define TACHY_CHECK_0_(format) ::tachy::detail::check_format(format)
#define TACHY_CHECK_1_(format, a) ::tachy::detail::check_format(format, TACHY_AS_(a))
#define TACHY_CHECK_2_(format, a, b) ::tachy::detail::check_format(format, TACHY_AS_(a), TACHY_AS_(b))
#define TACHY_CHECK_3_(format, a, b, c) ::tachy::detail::check_format(format, TACHY_AS_(a), TACHY_AS_(b), TACHY_AS_(c))
#define TACHY_CHECK_4_(format, a, b, c, d) \
  ::tachy::detail::check_format(format, TACHY_AS_(a), TACHY_AS_(b), TACHY_AS_(c), TACHY_AS_(d))
#define TACHY_CHECK_5_(format, a, b, c, d, e) \
  ::tachy::detail::check_format(format, TACHY_AS_(a), TACHY_AS_(b), TACHY_AS_(c), TACHY_AS_(d), TACHY_AS_(e))
#define TACHY_CHECK_6_(format, a, b, c, d, e, f)                                                              \
  ::tachy::detail::check_format(format, TACHY_AS_(a), TACHY_AS_(b), TACHY_AS_(c), TACHY_AS_(d), TACHY_AS_(e), \
                                TACHY_AS_(f))
#define TACHY_CHECK_7_(format, a, b, c, d, e, f, g)                                                           \
  ::tachy::detail::check_format(format, TACHY_AS_(a), TACHY_AS_(b), TACHY_AS_(c), TACHY_AS_(d), TACHY_AS_(e), \
                                TACHY_AS_(f), TACHY_AS_(g))
#define TACHY_CHECK_8_(format, a, b, c, d, e, f, g, h)                                                        \
  ::tachy::detail::check_format(format, TACHY_AS_(a), TACHY_AS_(b), TACHY_AS_(c), TACHY_AS_(d), TACHY_AS_(e), \
                                TACHY_AS_(f), TACHY_AS_(g), TACHY_AS_(h))
#define TACHY_CHECK_X_(...) static_assert(false, "a log has at most 8 arguments")

namespace tachy::detail {

#if defined(__MINGW32__) && !defined(__clang__)
__attribute__((format(gnu_printf, 1, 2)))  // "printf" is there what the system's old library can
#elif defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void check_format(const char *format, ...);  // declared only

// What a log of this format may have: the reader knows neither %n nor a width or precision taken from an argument.
constexpr bool supported(const char *format) {
  if (!*format) return false;
  while (*format) {
    if (*format++ != '%') continue;
    if (*format == '%') {
      ++format;
      continue;
    }
    while (*format == '-' || *format == '+' || *format == ' ' || *format == '#' || *format == '.' ||
           (*format >= '0' && *format <= '9') || *format == 'l' || *format == 'h' || *format == 'j' || *format == 'z' ||
           *format == 't' || *format == 'L') {
      ++format;
    }
    if (*format == '*' || *format == 'n' || *format == 0) return false;
  }
  return true;
}

template <class T>
inline constexpr bool is_text = std::is_convertible_v<const T &, std::string_view> && !std::is_null_pointer_v<T>;
template <class T>
inline constexpr bool is_pointer = std::is_null_pointer_v<T> ||
                                   (std::is_pointer_v<std::decay_t<T>> && !std::is_function_v<T>);
template <class T>
inline constexpr bool is_number = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// The argument as printf would take it, for the compiler's check alone.
template <class T>
constexpr auto as_printf(const T &value) {
  static_assert(is_text<T> || is_number<T> || is_pointer<T>, "a log takes numbers, text and pointers");
  static_assert(!std::is_integral_v<T> || sizeof(T) <= 8, "a log's whole numbers have at most 64 bits");
  if constexpr (is_text<T>) {
    return static_cast<const char *>(nullptr);
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<std::underlying_type_t<T>>(value);
  } else if constexpr (is_number<T>) {
    return value;
  } else {
    return static_cast<const void *>(nullptr);
  }
}

template <class T>
constexpr tachy_site_kind metric_kind() {
  using Value = std::remove_cv_t<std::remove_reference_t<T>>;
  static_assert(is_number<Value>, "a metric's value is a number");
  return std::is_floating_point_v<Value> ? TACHY_SITE_METRIC_F64 : TACHY_SITE_METRIC_INT;
}

// Of a value on a span.
template <class T>
constexpr tachy_value_type value_type() {
  static_assert(is_text<T> || is_number<T>, "a value on a span is a number or a text");
  static_assert(!std::is_integral_v<T> || sizeof(T) <= 8, "whole numbers on spans have at most 64 bits");
  if constexpr (is_text<T>) {
    return TACHY_VALUE_TEXT;
  } else if constexpr (std::is_same_v<T, bool>) {
    return TACHY_VALUE_BOOL;
  } else if constexpr (std::is_floating_point_v<T>) {
    return TACHY_VALUE_F64;
  } else if constexpr (std::is_enum_v<T>) {
    return value_type<std::underlying_type_t<T>>();
  } else {
    return std::is_signed_v<T> ? TACHY_VALUE_I64 : TACHY_VALUE_U64;
  }
}

template <class T>
constexpr tachy_value_type flow_type() {
  static_assert(!is_text<T> && !std::is_floating_point_v<T> && (is_number<T> || is_pointer<T>)&&sizeof(T) <= 8,
                "a flow is a whole number or an address");
  return TACHY_VALUE_FLOW;
}

template <class... T>
void ignore(const T &...) {}

#if TACHY_ENABLED

// tachy_span_end for destructors. Where an exception leaves the scope the compiler may call it, if it thinks that the
// code there is rare and would grow: gcc counts assembler as one instruction, so it never calls it elsewhere.
#if defined(TACHY_GOTO)
__attribute__((no_instrument_function))
#else
TACHY_QUIET_
#endif
inline void
span_end(tachy_scope scope) {
  tachy_span_end(scope);
}

template <class T>
constexpr std::uint32_t arg_type() {
  if constexpr (is_text<T>) {
    return TACHY_ARG_TEXT;
  } else if constexpr (std::is_floating_point_v<T>) {
    return TACHY_ARG_F64;
  } else if constexpr (std::is_enum_v<T>) {
    return arg_type<std::underlying_type_t<T>>();
  } else if constexpr (is_number<T>) {
    return std::is_signed_v<T> ? TACHY_ARG_I64 : TACHY_ARG_U64;
  } else {
    return TACHY_ARG_POINTER;
  }
}

TACHY_QUIET_ inline std::uint64_t bits_of(double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// An argument as tachy_log_args takes it, and what it takes in a record.
struct Argument {
  std::uint64_t word = 0;  // a number's bits; a text's address
  std::uint64_t size = 0;  // a text's
};

template <class T>
TACHY_QUIET_ inline Argument argument(const T &value) {
  if constexpr (is_text<T>) {
    if constexpr (std::is_pointer_v<T>) {
      if (!value) return argument("(null)");
    }
    const std::string_view text = value;
    return {reinterpret_cast<std::uintptr_t>(text.data()), text.size()};
  } else if constexpr (std::is_floating_point_v<T>) {
    return {bits_of(static_cast<double>(value))};
  } else if constexpr (is_number<T>) {
    return {static_cast<std::uint64_t>(value)};
  } else if constexpr (std::is_null_pointer_v<T>) {
    return {};
  } else {
    const volatile void *const address = value;
    return {reinterpret_cast<std::uintptr_t>(address)};
  }
}

// What is rare: long texts. One function for all logs of so many arguments.
template <class... A>
TACHY_APART_ void log_long(tachy_site *site, std::uint32_t set, std::uint32_t types, A... arguments) {
  const std::uint64_t words[] = {arguments.word...};
  const std::uint32_t sizes[] = {
      static_cast<std::uint32_t>(arguments.size < UINT32_MAX ? arguments.size : UINT32_MAX)...};
  tachy_log_args(site, set, types, words, sizes);
}

template <class T>
TACHY_QUIET_ inline std::uint64_t room(const Argument &a) {
  return is_text<T> ? tachy_log_text_room_(a.size) : sizeof a.word;
}

template <class T>
TACHY_QUIET_ inline std::uint8_t *put(std::uint8_t *at, const Argument &a) {
  if constexpr (is_text<T>) {
    return tachy_log_put_text_(at, reinterpret_cast<const char *>(a.word), static_cast<std::uint32_t>(a.size));
  } else {
    std::memcpy(at, &a.word, sizeof a.word);
    return at + sizeof a.word;
  }
}

template <class... T, std::size_t... I>
TACHY_QUIET_ inline void log_of(std::index_sequence<I...>, tachy_site *site, std::int32_t id, std::uint32_t set,
                                const T &...values) {
  constexpr std::uint32_t types = ((arg_type<T>() << (4 * I)) | ... | 0u);
  const Argument arguments[] = {argument(values)...};
  const std::uint64_t size = sizeof(tachy_log_record) + (room<T>(arguments[I]) + ...);
  if constexpr ((is_text<T> || ...)) {
    if (TACHY_UNLIKELY(size > TACHY_LOG_INLINE_MAX_)) {
      log_long(site, set, types, arguments[I]...);
      return;
    }
  }
  tachy_thread *thread;
  tachy_log_record *const record = tachy_log_begin_(&thread, id, set, types, size);
  if (TACHY_UNLIKELY(!record)) return;
  auto *at = reinterpret_cast<std::uint8_t *>(record + 1);
  ((at = put<T>(at, arguments[I])), ...);
  tachy_log_end_(thread, size);
}

// A log of a site whose number is `id`.
template <class... T>
TACHY_QUIET_ inline void log(tachy_site *site, std::int32_t id, std::uint32_t set, const T &...values) {
  static_assert(sizeof...(T) <= TACHY_LOG_ARGS_MAX, "a log has at most 8 arguments");
  if constexpr (sizeof...(T) == 0) {
    tachy_log_words(site, set, 0, nullptr, 0);
  } else {
    log_of(std::index_sequence_for<T...>{}, site, id, set, values...);
  }
}

template <class T>
TACHY_QUIET_ inline void metric(tachy_site *site, std::uint32_t set, const T &value) {
  if constexpr (std::is_floating_point_v<T>) {
    tachy_metric_float(site, set, static_cast<double>(value));
  } else if constexpr (std::is_enum_v<T>) {
    metric(site, set, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (sizeof(T) > 8) {  // __int128, where the compiler counts it among the integers
    const std::int64_t whole = static_cast<std::int64_t>(value);
    if (static_cast<T>(whole) == value && (std::is_signed_v<T> || whole >= 0)) {
      tachy_metric_int(site, set, whole);
    } else {
      tachy_metric_beyond_(site, set, static_cast<double>(value));
    }
  } else if constexpr (sizeof(T) == 8 && std::is_unsigned_v<T>) {
    tachy_metric_unsigned(site, set, value);
  } else {
    tachy_metric_int(site, set, static_cast<std::int64_t>(value));
  }
}

// On the innermost open span of the thread.
template <class T>
TACHY_QUIET_ inline void span_value(tachy_site *site, tachy_value_type type, const T &value) {
  const Argument given = argument(value);
  if constexpr (is_text<T>) {
    tachy_span_value_text(tachy_span_innermost(), site, reinterpret_cast<const char *>(given.word), given.size);
  } else {
    tachy_span_value_bits_(tachy_here_()->top, site, type, given.word);
  }
}

template <class T>
TACHY_QUIET_ inline void async_value(tachy_async *span, tachy_site *site, tachy_value_type type, const T &value) {
  const Argument given = argument(value);
  if constexpr (is_text<T>) {
    tachy_async_value_text(span, site, reinterpret_cast<const char *>(given.word), given.size);
  } else {
    tachy_async_value_(span, site, type, given.word);
  }
}

#endif

}  // namespace tachy::detail

#endif
