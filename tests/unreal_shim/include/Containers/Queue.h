// TQueue: first in, first out.
#pragma once
#include <atomic>

#include "Templates/UnrealTemplate.h"

enum class EQueueMode { Mpsc, Spsc, SingleThreaded };
template <typename T, EQueueMode Mode = EQueueMode::Spsc>
class TQueue : private FNoncopyable {
  struct FNode {
    std::atomic<FNode *> Next{nullptr};
    T Item{};
  };

 public:
  TQueue() : Head(new FNode), Tail(Head.load()) {}
  ~TQueue() {
    T Item;
    while (Dequeue(Item)) {
    }
    delete Tail;
  }
  bool Enqueue(const T &Item) { return Enqueue(T(Item)); }
  bool Enqueue(T &&Item) {
    FNode *Node = new FNode;
    Node->Item = static_cast<T &&>(Item);
    Head.exchange(Node)->Next.store(Node);
    return true;
  }
  bool Dequeue(T &Out) {
    FNode *Next = Tail->Next.load();
    if (!Next) return false;
    Out = static_cast<T &&>(Next->Item);
    Next->Item = T();
    delete Tail;
    Tail = Next;
    return true;
  }
  bool IsEmpty() const { return !Tail->Next.load(); }
  T *Peek() {
    FNode *Next = Tail->Next.load();
    return Next ? &Next->Item : nullptr;
  }
  void Empty() {
    T Item;
    while (Dequeue(Item)) {
    }
  }

 private:
  std::atomic<FNode *> Head;
  FNode *Tail;
};
