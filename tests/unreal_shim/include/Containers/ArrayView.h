#pragma once
#include "Misc/AssertionMacros.h"
#include "Templates/UnrealTemplate.h"

template <typename T, typename SizeT = int32>
class TArrayView {
 public:
  using SizeType = SizeT;
  constexpr TArrayView() = default;
  constexpr TArrayView(T *InData, SizeT InNum) : Data(InData), Count(InNum) {}
  template <size_t N>
  constexpr TArrayView(T (&Array)[N]) : Data(Array), Count(SizeT(N)) {}
  constexpr TArrayView(std::initializer_list<std::remove_const_t<T>> List)
      : Data(List.begin()), Count(SizeT(List.size())) {}
  template <typename C,
            typename = std::enable_if_t<std::is_convertible_v<decltype(std::declval<C &>().GetData()), T *>>>
  constexpr TArrayView(C &&Other) : Data(Other.GetData()), Count(SizeT(Other.Num())) {}
  constexpr T *GetData() const { return Data; }
  constexpr SizeT Num() const { return Count; }
  constexpr bool IsEmpty() const { return Count == 0; }
  constexpr bool IsValidIndex(SizeT I) const { return I >= 0 && I < Count; }
  T &operator[](SizeT I) const {
    check(IsValidIndex(I));
    return Data[I];
  }
  TArrayView Left(SizeT N) const { return TArrayView(Data, N < Count ? N : Count); }
  TArrayView RightChop(SizeT N) const { return N < Count ? TArrayView(Data + N, Count - N) : TArrayView(); }
  constexpr T *begin() const { return Data; }
  constexpr T *end() const { return Data + Count; }

 private:
  T *Data = nullptr;
  SizeT Count = 0;
};
template <typename C>
auto MakeArrayView(C &&Other) {
  return TArrayView<std::remove_pointer_t<decltype(Other.GetData())>>(Other.GetData(), int32(Other.Num()));
}
template <typename T>
TArrayView<T> MakeArrayView(T *Data, int32 Num) {
  return TArrayView<T>(Data, Num);
}
