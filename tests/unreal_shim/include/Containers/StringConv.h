// Between TCHAR, UTF-8 and ANSI. What is not valid becomes '?' (ANSI) or U+FFFD.
#pragma once
#include "Containers/StringView.h"
#include "HAL/UnrealMemory.h"

namespace unreal_shim {
// Each writes at most Size units and answers how many there are (without a zero).
CORE_API int32 Convert(ANSICHAR *Dest, int32 Size, const TCHAR *Src, int32 N, bool bUtf8);
CORE_API int32 Convert(TCHAR *Dest, int32 Size, const ANSICHAR *Src, int32 N, bool bUtf8);
inline int32 Convert(UTF8CHAR *Dest, int32 Size, const TCHAR *Src, int32 N, bool) {
  return Convert(reinterpret_cast<ANSICHAR *>(Dest), Size, Src, N, true);
}
inline int32 Convert(TCHAR *Dest, int32 Size, const UTF8CHAR *Src, int32 N, bool) {
  return Convert(Dest, Size, reinterpret_cast<const ANSICHAR *>(Src), N, true);
}

template <typename To, typename From, bool bUtf8, int32 Inline = 128>
class TConversion : private FNoncopyable {
 public:
  explicit TConversion(const From *Src) : TConversion(Src, Src ? TCString<From>::Strlen(Src) : 0) { bNull = !Src; }
  TConversion(const From *Src, int32 N) {
    Count = Convert(Buffer, Inline - 1, Src, N, bUtf8);
    if (Count > Inline - 1) {
      Pointer = static_cast<To *>(FMemory::Malloc(SIZE_T(Count + 1) * sizeof(To)));
      Convert(Pointer, Count, Src, N, bUtf8);
    }
    Pointer[Count] = To(0);
  }
  template <typename V, typename = std::enable_if_t<std::is_class_v<V>>,
            typename = decltype(TStringView<From>(std::declval<const V &>()))>
  explicit TConversion(const V &View) : TConversion(TStringView<From>(View).GetData(), TStringView<From>(View).Len()) {}
  ~TConversion() {
    if (Pointer != Buffer) FMemory::Free(Pointer);
  }
  const To *Get() const { return bNull ? nullptr : Pointer; }
  int32 Length() const { return Count; }
  operator TStringView<To>() const { return TStringView<To>(Pointer, Count); }

 private:
  To Buffer[Inline];
  To *Pointer = Buffer;
  int32 Count = 0;
  bool bNull = false;
};
// The same type on both sides: nothing is copied.
template <typename T>
class TStringPointer {
 public:
  explicit TStringPointer(const T *Src) : Pointer(Src), Count(Src ? TCString<T>::Strlen(Src) : 0) {}
  TStringPointer(const T *Src, int32 N) : Pointer(Src), Count(N) {}
  const T *Get() const { return Pointer; }
  int32 Length() const { return Count; }

 private:
  const T *Pointer;
  int32 Count;
};
template <typename To, typename From>
auto Cast(const From *Src, int32 N) {
  if constexpr (std::is_same_v<To, From>)
    return TStringPointer<To>(Src, N);
  else
    return TConversion<To, From, false>(Src, N);
}
}  // namespace unreal_shim

using FTCHARToUTF8 = unreal_shim::TConversion<ANSICHAR, TCHAR, true>;
using FUTF8ToTCHAR = unreal_shim::TConversion<TCHAR, ANSICHAR, true>;
template <typename To, typename From>
auto StringCast(const From *Src) {
  return unreal_shim::Cast<To, From>(Src, Src ? TCString<From>::Strlen(Src) : 0);
}
template <typename To, typename From>
auto StringCast(const From *Src, int32 N) {
  return unreal_shim::Cast<To, From>(Src, N);
}
// What these give lives until the end of the full expression.
#define TCHAR_TO_UTF8(S) const_cast<ANSICHAR *>(FTCHARToUTF8(static_cast<const TCHAR *>(S)).Get())
#define UTF8_TO_TCHAR(S) const_cast<TCHAR *>(FUTF8ToTCHAR(reinterpret_cast<const ANSICHAR *>(S)).Get())
#define TCHAR_TO_ANSI(S) const_cast<ANSICHAR *>(StringCast<ANSICHAR>(static_cast<const TCHAR *>(S)).Get())
