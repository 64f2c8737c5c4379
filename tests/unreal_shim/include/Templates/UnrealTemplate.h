// MoveTemp, Forward and the small helpers that everything uses.
#pragma once
#include <initializer_list>
#include <new>
#include <type_traits>
#include <utility>

#include "CoreTypes.h"

template <typename T>
constexpr std::remove_reference_t<T> &&MoveTemp(T &&Value) noexcept {
  static_assert(std::is_lvalue_reference_v<T>, "MoveTemp called on an rvalue");
  static_assert(!std::is_const_v<std::remove_reference_t<T>>, "MoveTemp called on a const object");
  return static_cast<std::remove_reference_t<T> &&>(Value);
}
template <typename T>
constexpr T &&Forward(std::remove_reference_t<T> &Value) noexcept {
  return static_cast<T &&>(Value);
}
template <typename T>
constexpr T &&Forward(std::remove_reference_t<T> &&Value) noexcept {
  return static_cast<T &&>(Value);
}
template <typename T>
void Swap(T &A, T &B) {
  T Old(static_cast<T &&>(A));
  A = static_cast<T &&>(B);
  B = static_cast<T &&>(Old);
}
template <typename A, typename B = A>
A Exchange(A &Value, B &&New) {
  A Old = MoveTemp(Value);
  Value = Forward<B>(New);
  return Old;
}

struct FNoncopyable {
  FNoncopyable() = default;
  FNoncopyable(const FNoncopyable &) = delete;
  FNoncopyable &operator=(const FNoncopyable &) = delete;
};

template <typename T, size_t N>
char (&UEShimArrayCount(const T (&)[N]))[N];
#define UE_ARRAY_COUNT(Array) (sizeof(UEShimArrayCount(Array)))

#define ENUM_CLASS_FLAGS(Enum)                                                               \
  inline constexpr Enum operator|(Enum A, Enum B) {                                          \
    return Enum(std::underlying_type_t<Enum>(A) | std::underlying_type_t<Enum>(B));          \
  }                                                                                          \
  inline constexpr Enum operator&(Enum A, Enum B) {                                          \
    return Enum(std::underlying_type_t<Enum>(A) & std::underlying_type_t<Enum>(B));          \
  }                                                                                          \
  inline constexpr Enum operator~(Enum A) { return Enum(~std::underlying_type_t<Enum>(A)); } \
  inline Enum &operator|=(Enum &A, Enum B) { return A = A | B; }                             \
  inline Enum &operator&=(Enum &A, Enum B) { return A = A & B; }                             \
  inline constexpr bool operator!(Enum A) { return !std::underlying_type_t<Enum>(A); }
