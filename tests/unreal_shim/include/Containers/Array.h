// TArray: contiguous, grows by half.
#pragma once
#include "Containers/ArrayView.h"
#include "Containers/ContainerAllocationPolicies.h"
#include "HAL/UnrealMemory.h"

namespace unreal_shim {
template <typename T, typename P>
void StableSort(T *Data, int64 Num, const P &Less);  // by merging
}

template <typename T, typename Allocator = FDefaultAllocator>
class TArray {
 public:
  using ElementType = T;
  using SizeType = typename Allocator::SizeType;

  TArray() = default;
  TArray(std::initializer_list<T> List) { Append(List); }
  TArray(const T *Data, SizeType N) { Append(Data, N); }
  TArray(const TArray &O) { Append(O.Pointer, O.Count); }
  TArray(TArray &&O) noexcept : Pointer(O.Pointer), Count(O.Count), Capacity(O.Capacity) { O.Forget(); }
  template <typename A2>
  TArray(const TArray<T, A2> &O) {
    Append(O.GetData(), SizeType(O.Num()));
  }
  template <typename U, typename S, typename = std::enable_if_t<std::is_constructible_v<T, const U &>>>
  explicit TArray(const TArrayView<U, S> &View) {
    Append(View.GetData(), SizeType(View.Num()));
  }
  TArray &operator=(TArray O) noexcept {
    Swap(O);
    return *this;
  }
  TArray &operator=(std::initializer_list<T> List) {
    Empty();
    Append(List);
    return *this;
  }
  ~TArray() {
    Destroy(0, Count);
    FMemory::Free(Pointer);
  }

  T *GetData() { return Pointer; }
  const T *GetData() const { return Pointer; }
  SizeType Num() const { return Count; }
  SizeType Max() const { return Capacity; }
  bool IsEmpty() const { return Count == 0; }
  bool IsValidIndex(SizeType I) const { return I >= 0 && I < Count; }
  T &operator[](SizeType I) {
    check(IsValidIndex(I));
    return Pointer[I];
  }
  const T &operator[](SizeType I) const {
    check(IsValidIndex(I));
    return Pointer[I];
  }
  T &Last(SizeType FromEnd = 0) { return (*this)[Count - 1 - FromEnd]; }
  const T &Last(SizeType FromEnd = 0) const { return (*this)[Count - 1 - FromEnd]; }
  T &Top() { return Last(); }
  T *begin() { return Pointer; }
  const T *begin() const { return Pointer; }
  T *end() { return Pointer + Count; }
  const T *end() const { return Pointer + Count; }

  SizeType AddUninitialized(SizeType N = 1) {
    const SizeType Old = Count;
    if (Count + N > Capacity) Grow(Count + N);
    Count += N;
    return Old;
  }
  template <typename... A>
  SizeType Emplace(A &&...Args) {
    if (Count == Capacity) {  // an argument may lie in this array
      T Value(Forward<A>(Args)...);
      const SizeType I = AddUninitialized();
      new (static_cast<void *>(Pointer + I)) T(static_cast<T &&>(Value));
      return I;
    }
    new (static_cast<void *>(Pointer + Count)) T(Forward<A>(Args)...);
    return Count++;
  }
  SizeType Add(const T &V) { return Emplace(V); }
  SizeType Add(T &&V) { return Emplace(static_cast<T &&>(V)); }
  T &Add_GetRef(const T &V) { return At_(Emplace(V)); }
  T &Add_GetRef(T &&V) { return At_(Emplace(static_cast<T &&>(V))); }
  void Push(const T &V) { Emplace(V); }
  void Push(T &&V) { Emplace(static_cast<T &&>(V)); }
  SizeType AddDefaulted(SizeType N = 1) {
    const SizeType Old = AddUninitialized(N);
    for (SizeType I = Old; I < Count; ++I) new (static_cast<void *>(Pointer + I)) T();
    return Old;
  }
  T &AddDefaulted_GetRef() { return At_(AddDefaulted()); }
  SizeType AddZeroed(SizeType N = 1) {
    const SizeType Old = AddUninitialized(N);
    FMemory::Memzero(static_cast<void *>(Pointer + Old), SIZE_T(N) * sizeof(T));
    return Old;
  }
  SizeType AddUnique(const T &V) {
    const SizeType I = Find(V);
    return I != INDEX_NONE ? I : Emplace(V);
  }
  void Append(const T *Data, SizeType N) {
    check(!Data || Data + N <= Pointer || Data >= Pointer + Capacity || !Pointer);
    const SizeType Old = AddUninitialized(N);
    for (SizeType I = 0; I < N; ++I) new (static_cast<void *>(Pointer + Old + I)) T(Data[I]);
  }
  void Append(std::initializer_list<T> List) { Append(List.begin(), SizeType(List.size())); }
  template <typename C, typename = decltype(std::declval<const C &>().GetData())>
  void Append(const C &Other) {
    Append(Other.GetData(), SizeType(Other.Num()));
  }
  TArray &operator+=(const TArray &O) {
    Append(O.Pointer, O.Count);
    return *this;
  }
  SizeType Insert(const T &V, SizeType At) {
    T Value(V);
    Open(At, 1);
    new (static_cast<void *>(Pointer + At)) T(static_cast<T &&>(Value));
    return At;
  }
  SizeType Insert(const T *Data, SizeType N, SizeType At) {
    Open(At, N);
    for (SizeType I = 0; I < N; ++I) new (static_cast<void *>(Pointer + At + I)) T(Data[I]);
    return At;
  }
  void Remove_(SizeType At, SizeType N) {
    check(At >= 0 && N >= 0 && At + N <= Count);
    for (SizeType I = At; I + N < Count; ++I) Pointer[I] = static_cast<T &&>(Pointer[I + N]);
    Destroy(Count - N, Count);
    Count -= N;
  }
  void RemoveAt(SizeType At) { Remove_(At, 1); }
  void RemoveAtSwap(SizeType At) {
    check(IsValidIndex(At));
    if (At != Count - 1) Pointer[At] = static_cast<T &&>(Pointer[Count - 1]);
    Remove_(Count - 1, 1);
  }
  T Pop() {
    T V(static_cast<T &&>(Last()));
    Remove_(Count - 1, 1);
    return V;
  }
  void SetNum(SizeType N) {
    if (N > Count)
      AddDefaulted(N - Count);
    else
      Remove_(N, Count - N);
  }
  void SetNumUninitialized(SizeType N) {
    if (N > Count)
      AddUninitialized(N - Count);
    else
      Remove_(N, Count - N);
  }
#if UE_SHIM_VERSION >= 504
  void RemoveAt(SizeType At, SizeType N, EAllowShrinking = EAllowShrinking::Default) { Remove_(At, N); }
  void RemoveAtSwap(SizeType At, EAllowShrinking) { RemoveAtSwap(At); }
  T Pop(EAllowShrinking) { return Pop(); }
  void SetNum(SizeType N, EAllowShrinking) { SetNum(N); }
  void SetNumUninitialized(SizeType N, EAllowShrinking) { SetNumUninitialized(N); }
#else
  void RemoveAt(SizeType At, SizeType N) { Remove_(At, N); }
#endif
#if UE_SHIM_VERSION < 508
#if UE_SHIM_VERSION >= 505
#define UE_SHIM_BOOL_SHRINKING UE_DEPRECATED(5.5, "Use EAllowShrinking instead of bool.")
#else
#define UE_SHIM_BOOL_SHRINKING
#endif
  UE_SHIM_BOOL_SHRINKING void RemoveAt(SizeType At, SizeType N, bool) { Remove_(At, N); }
  UE_SHIM_BOOL_SHRINKING T Pop(bool) { return Pop(); }
  UE_SHIM_BOOL_SHRINKING void SetNum(SizeType N, bool) { SetNum(N); }
  UE_SHIM_BOOL_SHRINKING void SetNumUninitialized(SizeType N, bool) { SetNumUninitialized(N); }
#undef UE_SHIM_BOOL_SHRINKING
#endif
  void SetNumZeroed(SizeType N) {
    if (N > Count)
      AddZeroed(N - Count);
    else
      Remove_(N, Count - N);
  }
  void Init(const T &V, SizeType N) {
    Empty(N);
    for (SizeType I = 0; I < N; ++I) Emplace(V);
  }
  void Empty(SizeType Slack = 0) {
    Destroy(0, Count);
    Count = 0;
    if (Slack == 0) {
      FMemory::Free(Pointer);
      Forget();
    } else {
      Reserve(Slack);
    }
  }
  void Reset(SizeType Slack = 0) {
    Destroy(0, Count);
    Count = 0;
    Reserve(Slack);
  }
  void Reserve(SizeType N) {
    if (N > Capacity) Reallocate(N);
  }
  void Shrink() {
    if (Capacity > Count) Reallocate(Count);
  }
  void Swap(TArray &O) noexcept {
    ::Swap(Pointer, O.Pointer);
    ::Swap(Count, O.Count);
    ::Swap(Capacity, O.Capacity);
  }

  template <typename K>
  SizeType Find(const K &V) const {
    for (SizeType I = 0; I < Count; ++I)
      if (Pointer[I] == V) return I;
    return INDEX_NONE;
  }
  bool Find(const T &V, SizeType &I) const { return (I = Find(V)) != INDEX_NONE; }
  template <typename K>
  bool Contains(const K &V) const {
    return Find(V) != INDEX_NONE;
  }
  template <typename P>
  SizeType IndexOfByPredicate(P &&Pred) const {
    for (SizeType I = 0; I < Count; ++I)
      if (Pred(Pointer[I])) return I;
    return INDEX_NONE;
  }
  template <typename P>
  T *FindByPredicate(P &&Pred) {
    const SizeType I = IndexOfByPredicate(Pred);
    return I == INDEX_NONE ? nullptr : Pointer + I;
  }
  template <typename P>
  const T *FindByPredicate(P &&Pred) const {
    const SizeType I = IndexOfByPredicate(Pred);
    return I == INDEX_NONE ? nullptr : Pointer + I;
  }
  template <typename P>
  bool ContainsByPredicate(P &&Pred) const {
    return IndexOfByPredicate(Pred) != INDEX_NONE;
  }
  template <typename P>
  SizeType RemoveAll(P &&Pred) {
    SizeType Kept = 0;
    for (SizeType I = 0; I < Count; ++I)
      if (!Pred(Pointer[I])) {
        if (Kept != I) Pointer[Kept] = static_cast<T &&>(Pointer[I]);
        ++Kept;
      }
    const SizeType Removed = Count - Kept;
    Destroy(Kept, Count);
    Count = Kept;
    return Removed;
  }
  SizeType Remove(const T &V) {
    T Value(V);
    return RemoveAll([&](const T &E) { return E == Value; });
  }
  template <typename P>
  void StableSort(P &&Less) {
    unreal_shim::StableSort(Pointer, Count, Less);
  }
  template <typename P>
  void Sort(P &&Less) {
    StableSort(Less);
  }
  void Sort() {
    StableSort([](const T &A, const T &B) { return A < B; });
  }
  friend bool operator==(const TArray &A, const TArray &B) {
    if (A.Count != B.Count) return false;
    for (SizeType I = 0; I < A.Count; ++I)
      if (!(A.Pointer[I] == B.Pointer[I])) return false;
    return true;
  }

 private:
  T &At_(SizeType I) { return Pointer[I]; }  // Pointer[Add…] would read Pointer first
  void Forget() {
    Pointer = nullptr;
    Count = Capacity = 0;
  }
  void Destroy([[maybe_unused]] SizeType From, [[maybe_unused]] SizeType To) {
    if constexpr (!std::is_trivially_destructible_v<T>)
      for (SizeType I = From; I < To; ++I) Pointer[I].~T();
  }
  void Grow(SizeType N) { Reallocate(N + N / 2 + 4); }
  void Reallocate(SizeType N) {
    T *New = N ? static_cast<T *>(FMemory::Malloc(SIZE_T(N) * sizeof(T), alignof(T))) : nullptr;
    for (SizeType I = 0; I < Count; ++I) {
      new (static_cast<void *>(New + I)) T(static_cast<T &&>(Pointer[I]));
      Pointer[I].~T();
    }
    FMemory::Free(Pointer);
    Pointer = New;
    Capacity = N;
  }
  void Open(SizeType At, SizeType N) {
    check(At >= 0 && At <= Count);
    const SizeType Old = AddUninitialized(N);
    for (SizeType I = Old; I-- > At;) {
      new (static_cast<void *>(Pointer + I + N)) T(static_cast<T &&>(Pointer[I]));
      Pointer[I].~T();
    }
  }
  T *Pointer = nullptr;
  SizeType Count = 0;
  SizeType Capacity = 0;
};
template <typename T>
using TArray64 = TArray<T, FDefaultAllocator64>;

template <typename T, typename P>
void unreal_shim::StableSort(T *Data, int64 Num, const P &Less) {
  if (Num < 2) return;
  const int64 Half = Num / 2;
  unreal_shim::StableSort(Data, Half, Less);
  unreal_shim::StableSort(Data + Half, Num - Half, Less);
  TArray64<T> Merged;
  Merged.Reserve(Num);
  for (int64 A = 0, B = Half; A < Half || B < Num;)
    Merged.Add(static_cast<T &&>(B == Num || (A < Half && !Less(Data[B], Data[A])) ? Data[A++] : Data[B++]));
  for (int64 I = 0; I < Num; ++I) Data[I] = static_cast<T &&>(Merged[I]);
}
