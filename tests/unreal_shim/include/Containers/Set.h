// TSet: elements in an array, chained by hash. A removed element's place is taken by the last one.
#pragma once
#include "Containers/Array.h"
#include "Templates/Tuple.h"
#include "Templates/TypeHash.h"

namespace unreal_shim {
template <typename E>
struct TKeyOf {
  static const E &Of(const E &Element) { return Element; }
};
template <typename K, typename V>
struct TKeyOf<TPair<K, V>> {
  static const K &Of(const TPair<K, V> &Pair) { return Pair.Key; }
};
// What TSet and TMap share: TElement is what lies there, TKeyOf its key.
template <typename TElement, typename TKey>
class THashed {
  struct FNode {
    TElement Element;
    uint32 Hash;
    int32 Next;
  };
  template <typename N, typename E>
  struct TIterator {
    N *Node;
    THashed *Owner = nullptr;
    E &operator*() const { return Node->Element; }
    E *operator->() const { return &Node->Element; }
    TIterator &operator++() {
      ++Node;
      return *this;
    }
    bool operator!=(const TIterator &O) const { return Node != O.Node; }
    bool operator==(const TIterator &O) const { return Node == O.Node; }
    explicit operator bool() const { return Node != Owner->Nodes.end(); }
    void RemoveCurrent() {  // the last element comes here: step back so that ++ finds it
      Owner->RemoveIndex(int32(Node - Owner->Nodes.GetData()));
      --Node;
    }
    auto &Key() const { return Node->Element.Key; }
    auto &Value() const { return Node->Element.Value; }
  };

 public:
  int32 Num() const { return Nodes.Num(); }
  bool IsEmpty() const { return Nodes.IsEmpty(); }
  void Empty(int32 = 0) {
    Nodes.Empty();
    Heads.Empty();
  }
  void Reset() { Empty(); }
  void Reserve(int32 N) {
    Nodes.Reserve(N);
    if (N > Heads.Num()) Rehash(N);
  }
  void Shrink() {}
  auto begin() { return TIterator<FNode, TElement>{Nodes.begin()}; }
  auto end() { return TIterator<FNode, TElement>{Nodes.end()}; }
  auto begin() const { return TIterator<const FNode, const TElement>{Nodes.begin()}; }
  auto end() const { return TIterator<const FNode, const TElement>{Nodes.end()}; }
  auto CreateIterator() { return TIterator<FNode, TElement>{Nodes.begin(), this}; }
  auto CreateConstIterator() const {
    return TIterator<const FNode, const TElement>{Nodes.begin(), const_cast<THashed *>(this)};
  }

 protected:
  int32 IndexOf(const TKey &Key) const {
    if (Heads.IsEmpty()) return INDEX_NONE;
    const uint32 Hash = GetTypeHash(Key);
    for (int32 I = Heads[Slot(Hash)]; I != INDEX_NONE; I = Nodes[I].Next)
      if (Nodes[I].Hash == Hash && TKeyOf<TElement>::Of(Nodes[I].Element) == Key) return I;
    return INDEX_NONE;
  }
  TElement &At(int32 I) { return Nodes[I].Element; }
  const TElement &At(int32 I) const { return Nodes[I].Element; }
  TElement &Insert(TElement &&Element) {
    const uint32 Hash = GetTypeHash(TKeyOf<TElement>::Of(Element));
    if (Nodes.Num() >= Heads.Num()) Rehash(Heads.Num() * 2 + 8);
    int32 &Head = Heads[Slot(Hash)];
    Nodes.Add(FNode{static_cast<TElement &&>(Element), Hash, Head});
    Head = Nodes.Num() - 1;
    return Nodes.Last().Element;
  }
  void RemoveIndex(int32 I) {
    *LinkTo(I) = Nodes[I].Next;
    const int32 Last = Nodes.Num() - 1;
    if (I != Last) *LinkTo(Last) = I;
    Nodes.RemoveAtSwap(I);
  }
  int32 RemoveKey(const TKey &Key) {
    const int32 I = IndexOf(Key);
    if (I != INDEX_NONE) RemoveIndex(I);
    return I != INDEX_NONE;
  }

 private:
  int32 Slot(uint32 Hash) const { return int32(Hash % uint32(Heads.Num())); }
  int32 *LinkTo(int32 I) {
    int32 *Link = &Heads[Slot(Nodes[I].Hash)];
    while (*Link != I) Link = &Nodes[*Link].Next;
    return Link;
  }
  void Rehash(int32 N) {
    Heads.Init(INDEX_NONE, N);
    for (int32 I = 0; I < Nodes.Num(); ++I) {
      int32 &Head = Heads[Slot(Nodes[I].Hash)];
      Nodes[I].Next = Head;
      Head = I;
    }
  }
  TArray<FNode> Nodes;
  TArray<int32> Heads;
};
}  // namespace unreal_shim

template <typename T>
class TSet : public unreal_shim::THashed<T, T> {
 public:
  TSet() = default;
  TSet(std::initializer_list<T> List) {
    for (const T &V : List) Add(V);
  }
  void Add(T V, bool *bAlreadyThere = nullptr) {
    const int32 I = this->IndexOf(V);
    if (bAlreadyThere) *bAlreadyThere = I != INDEX_NONE;
    if (I == INDEX_NONE)
      this->Insert(static_cast<T &&>(V));
    else
      this->At(I) = static_cast<T &&>(V);
  }
  bool Contains(const T &Key) const { return this->IndexOf(Key) != INDEX_NONE; }
  const T *Find(const T &Key) const {
    const int32 I = this->IndexOf(Key);
    return I == INDEX_NONE ? nullptr : &this->At(I);
  }
  int32 Remove(const T &Key) { return this->RemoveKey(Key); }
  void Append(const TSet &O) {
    for (const T &V : O) Add(V);
  }
  TArray<T> Array() const {
    TArray<T> Result;
    for (const T &V : *this) Result.Add(V);
    return Result;
  }
};
