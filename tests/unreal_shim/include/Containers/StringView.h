#pragma once
#include "Misc/AssertionMacros.h"
#include "Misc/CString.h"
#include "Templates/TypeHash.h"
#include "Templates/UnrealTemplate.h"

namespace ESearchCase {
enum Type { CaseSensitive, IgnoreCase };
}
namespace ESearchDir {
enum Type { FromStart, FromEnd };
}

template <typename C>
class TStringView {
 public:
  using ElementType = C;
  constexpr TStringView() = default;
  constexpr TStringView(const C *S) : Data(S) {
    while (S && S[Count]) ++Count;
  }
  constexpr TStringView(const C *S, int32 N) : Data(S), Count(N) {}
  template <typename S, typename = std::enable_if_t<std::is_class_v<S> && !std::is_base_of_v<TStringView, S>>,
            typename = std::enable_if_t<std::is_same_v<const C *, decltype(*std::declval<const S &>())>>,
            typename = decltype(std::declval<const S &>().Len())>
  TStringView(const S &Text) : Data(*Text), Count(Text.Len()) {}  // FString and string builders
  constexpr const C *GetData() const { return Data; }
  constexpr int32 Len() const { return Count; }
  constexpr int32 Num() const { return Count; }
  constexpr bool IsEmpty() const { return Count == 0; }
  constexpr C operator[](int32 I) const { return Data[I]; }
  constexpr const C *begin() const { return Data; }
  constexpr const C *end() const { return Data + Count; }
  TStringView Left(int32 N) const { return TStringView(Data, N < 0 ? 0 : N < Count ? N : Count); }
  TStringView LeftChop(int32 N) const { return Left(Count - N); }
  TStringView RightChop(int32 N) const {
    return N < Count ? TStringView(Data + N, Count - N) : TStringView(Data + Count, 0);
  }
  TStringView Right(int32 N) const { return RightChop(Count - N < 0 ? 0 : Count - N); }
  TStringView Mid(int32 At, int32 N = 0x7fffffff) const { return RightChop(At).Left(N); }
  void LeftInline(int32 N) { *this = Left(N); }
  void RightChopInline(int32 N) { *this = RightChop(N); }
  TStringView TrimStartAndEnd() const {
    TStringView V = *this;
    while (V.Count && TChar<C>::IsWhitespace(V.Data[0])) V = V.RightChop(1);
    while (V.Count && TChar<C>::IsWhitespace(V.Data[V.Count - 1])) V = V.LeftChop(1);
    return V;
  }
  int32 Compare(TStringView O, ESearchCase::Type Case = ESearchCase::CaseSensitive) const {
    const SIZE_T N = SIZE_T(Count < O.Count ? Count : O.Count);
    const int32 Order = Case == ESearchCase::IgnoreCase ? TCString<C>::Strnicmp(Data, O.Data, N)
                                                        : TCString<C>::Strncmp(Data, O.Data, N);
    return Order ? Order : Count - O.Count;
  }
  bool Equals(TStringView O, ESearchCase::Type Case = ESearchCase::CaseSensitive) const {
    return Count == O.Count && Compare(O, Case) == 0;
  }
  bool StartsWith(TStringView O, ESearchCase::Type Case = ESearchCase::CaseSensitive) const {
    return Left(O.Count).Equals(O, Case);
  }
  bool EndsWith(TStringView O, ESearchCase::Type Case = ESearchCase::CaseSensitive) const {
    return Right(O.Count).Equals(O, Case);
  }
  bool StartsWith(C X) const { return Count && Data[0] == X; }
  bool EndsWith(C X) const { return Count && Data[Count - 1] == X; }
  bool FindChar(C X, int32 &At) const {
    for (At = 0; At < Count; ++At)
      if (Data[At] == X) return true;
    At = INDEX_NONE;
    return false;
  }
  int32 Find(TStringView O, int32 From = 0, ESearchCase::Type Case = ESearchCase::CaseSensitive) const {
    for (int32 I = From; I + O.Count <= Count; ++I)
      if (TStringView(Data + I, O.Count).Equals(O, Case)) return I;
    return INDEX_NONE;
  }
  bool Contains(TStringView O, ESearchCase::Type Case = ESearchCase::CaseSensitive) const {
    return Find(O, 0, Case) != INDEX_NONE;
  }
  friend bool operator==(TStringView A, TStringView B) { return A.Equals(B, ESearchCase::IgnoreCase); }
  friend uint32 GetTypeHash(TStringView V) {
    uint32 H = 2166136261u;
    for (C X : V) H = (H ^ uint32(TChar<C>::ToLower(X))) * 16777619u;
    return H;
  }

 private:
  const C *Data = nullptr;
  int32 Count = 0;
};
using FStringView = TStringView<TCHAR>;
using FAnsiStringView = TStringView<ANSICHAR>;
using FUtf8StringView = TStringView<UTF8CHAR>;
#define TEXTVIEW(Text) FStringView(TEXT(Text), int32(UE_ARRAY_COUNT(TEXT(Text))) - 1)
