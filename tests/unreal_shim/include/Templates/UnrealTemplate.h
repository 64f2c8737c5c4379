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
constexpr std::remove_reference_t<T> &&MoveTempIfPossible(T &&Value) noexcept {
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
T CopyTemp(const T &Value) {
  return Value;
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

template <typename T>
struct TIdentity {
  using Type = T;
};
template <bool B, typename T = void>
using TEnableIf = std::enable_if<B, T>;
template <typename T>
using TDecay = std::decay<T>;

struct FNoncopyable {
  FNoncopyable() = default;
  FNoncopyable(const FNoncopyable &) = delete;
  FNoncopyable &operator=(const FNoncopyable &) = delete;
};
#define UE_NONCOPYABLE(Type)   \
  Type(Type &&) = delete;      \
  Type(const Type &) = delete; \
  Type &operator=(const Type &) = delete;

template <typename RefType, typename AssignedType = RefType>
struct TGuardValue : private FNoncopyable {
  TGuardValue(RefType &InRef, const AssignedType &New) : Ref(InRef), Original(InRef) { Ref = New; }
  ~TGuardValue() { Ref = Original; }

 private:
  RefType &Ref;
  AssignedType Original;
};

template <typename T, size_t N>
char (&UEShimArrayCount(const T (&)[N]))[N];
#define UE_ARRAY_COUNT(Array) (sizeof(UEShimArrayCount(Array)))
#if UE_SHIM_VERSION < 505
#define ARRAY_COUNT(Array) UE_ARRAY_COUNT(Array)
#endif
#define STRUCT_OFFSET(Struct, Member) __builtin_offsetof(Struct, Member)

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
template <typename Enum>
constexpr bool EnumHasAnyFlags(Enum Flags, Enum Contains) {
  using U = std::underlying_type_t<Enum>;
  return (U(Flags) & U(Contains)) != 0;
}
template <typename Enum>
constexpr bool EnumHasAllFlags(Enum Flags, Enum Contains) {
  using U = std::underlying_type_t<Enum>;
  return (U(Flags) & U(Contains)) == U(Contains);
}
template <typename T>
constexpr T Align(T Value, uint64 Alignment) {
  return T((uint64(Value) + Alignment - 1) & ~(Alignment - 1));
}
