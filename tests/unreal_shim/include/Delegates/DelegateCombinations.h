// Part of Delegate.h: the macros that name delegate types.
#pragma once

#define DECLARE_DELEGATE(Name) using Name = TDelegate<void()>;
#define DECLARE_MULTICAST_DELEGATE(Name) using Name = TMulticastDelegate<void()>;
#define DECLARE_DELEGATE_OneParam(Name, P1) using Name = TDelegate<void(P1)>;
#define DECLARE_MULTICAST_DELEGATE_OneParam(Name, P1) using Name = TMulticastDelegate<void(P1)>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(Name, T1, N1) \
  using Name = unreal_shim::TDynamicMulticastDelegate<void(T1)>;
#define DECLARE_DELEGATE_TwoParams(Name, P1, P2) using Name = TDelegate<void(P1, P2)>;
#define DECLARE_MULTICAST_DELEGATE_TwoParams(Name, P1, P2) using Name = TMulticastDelegate<void(P1, P2)>;
#define DECLARE_EVENT_TwoParams(Owner, Name, P1, P2)     \
  class Name : public TMulticastDelegate<void(P1, P2)> { \
    friend class Owner;                                  \
  };
#define DECLARE_DELEGATE_ThreeParams(Name, P1, P2, P3) using Name = TDelegate<void(P1, P2, P3)>;
#define DECLARE_MULTICAST_DELEGATE_ThreeParams(Name, P1, P2, P3) using Name = TMulticastDelegate<void(P1, P2, P3)>;

// Dynamic delegates bind UFUNCTIONs by name in the engine; here by pointer. The name is kept for messages.
namespace unreal_shim {
template <typename Sig>
class TDynamicDelegate;
template <typename... A>
class TDynamicDelegate<void(A...)> : public TDelegate<void(A...)> {
 public:
  TDynamicDelegate() = default;
  void Clear() { this->Unbind(); }
};
template <typename Sig>
class TDynamicMulticastDelegate;
template <typename... A>
class TDynamicMulticastDelegate<void(A...)> : public TMulticastDelegate<void(A...)> {
 public:
  template <typename T, typename M>
  void Add_(T *Object, M Method) {
    this->AddUObject(Object, Method);
  }
  void Add(const TDynamicDelegate<void(A...)> &D) { TMulticastDelegate<void(A...)>::Add(D); }
};
}  // namespace unreal_shim
#define AddDynamic(Object, Method) Add_(Object, Method)
