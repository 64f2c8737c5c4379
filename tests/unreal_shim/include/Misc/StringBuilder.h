// TStringBuilder<N>: N characters in place, more from FMemory.
#pragma once
#include "Containers/UnrealString.h"

template <typename C>
class TStringBuilderBase : private FNoncopyable {
 public:
  using ElementType = C;
  TStringBuilderBase(C *Buffer, int32 Size) : Pointer(Buffer), Inline(Buffer), Capacity(Size) { Pointer[0] = C(0); }
  ~TStringBuilderBase() {
    if (Pointer != Inline) FMemory::Free(Pointer);
  }
  const C *GetData() const { return Pointer; }
  C *GetData() { return Pointer; }
  const C *ToString() const { return Pointer; }
  const C *operator*() const { return Pointer; }
  int32 Len() const { return Count; }
  TStringView<C> ToView() const { return TStringView<C>(Pointer, Count); }
  operator TStringView<C>() const { return ToView(); }
  void Reset() {
    Count = 0;
    Pointer[0] = C(0);
  }
  TStringBuilderBase &Append(const C *S, int32 N) {
    if (Count + N + 1 > Capacity) {
      Capacity = (Count + N + 1) * 2;
      C *New = static_cast<C *>(FMemory::Malloc(SIZE_T(Capacity) * sizeof(C)));
      FMemory::Memcpy(New, Pointer, SIZE_T(Count) * sizeof(C));
      if (Pointer != Inline) FMemory::Free(Pointer);
      Pointer = New;
    }
    FMemory::Memcpy(Pointer + Count, S, SIZE_T(N) * sizeof(C));
    Pointer[Count += N] = C(0);
    return *this;
  }
  TStringBuilderBase &Append(TStringView<C> V) { return Append(V.GetData(), V.Len()); }
  TStringBuilderBase &AppendChar(C X) { return Append(&X, 1); }
  TStringBuilderBase &AppendAnsi(FAnsiStringView V) {
    for (ANSICHAR X : V) AppendChar(C(X));
    return *this;
  }
  template <typename... A>
  TStringBuilderBase &Appendf(const C *Format, A... Args) {
    static_assert(std::is_same_v<C, TCHAR>, "the shim formats TCHARs only");
    const unreal_shim::FFormatArgument List[sizeof...(A) + 1] = {unreal_shim::FormatArgument(Args)..., {}};
    FString Text;
    Text.AppendFormat(Format, List, int32(sizeof...(A)));
    return Append(*Text, Text.Len());
  }
  TStringBuilderBase &operator<<(TStringView<C> V) { return Append(V); }
  TStringBuilderBase &operator<<(const C *S) { return Append(TStringView<C>(S)); }
  TStringBuilderBase &operator<<(C X) { return AppendChar(X); }
  TStringBuilderBase &operator<<(int32 V) { return AppendAnsiNumber(int64(V)); }
  TStringBuilderBase &operator<<(uint32 V) { return AppendAnsiNumber(int64(V)); }
  TStringBuilderBase &operator<<(int64 V) { return AppendAnsiNumber(V); }
  TStringBuilderBase &operator<<(uint64 V) { return AppendAnsiNumber(int64(V)); }

 private:
  TStringBuilderBase &AppendAnsiNumber(int64 V) {
    ANSICHAR Digits[24];
    int32 I = 24;
    const bool bNegative = V < 0;
    uint64 U = bNegative ? 0 - uint64(V) : uint64(V);
    do Digits[--I] = ANSICHAR('0' + U % 10);
    while (U /= 10);
    if (bNegative) Digits[--I] = '-';
    return AppendAnsi(FAnsiStringView(Digits + I, 24 - I));
  }
  C *Pointer;
  C *Inline;
  int32 Count = 0;
  int32 Capacity;
};
template <typename C, int32 N>
class TStringBuilderWithBuffer : public TStringBuilderBase<C> {
 public:
  TStringBuilderWithBuffer() : TStringBuilderBase<C>(Buffer, N) {}

 private:
  C Buffer[N];
};
template <int32 N>
using TStringBuilder = TStringBuilderWithBuffer<TCHAR, N>;
using FStringBuilderBase = TStringBuilderBase<TCHAR>;
