// Part of Delegate.h: the macros that name delegate types.
#pragma once

#define DECLARE_DELEGATE(Name) using Name = TDelegate<void()>;
#define DECLARE_TS_DELEGATE(Name) using Name = TDelegate<void(), FDefaultTSDelegateUserPolicy>;
#define DECLARE_MULTICAST_DELEGATE(Name) using Name = TMulticastDelegate<void()>;
#define DECLARE_TS_MULTICAST_DELEGATE(Name) using Name = TMulticastDelegate<void(), FDefaultTSDelegateUserPolicy>;
#define DECLARE_EVENT(Owner, Name)                 \
  class Name : public TMulticastDelegate<void()> { \
    friend class Owner;                            \
  };
#define DECLARE_DELEGATE_RetVal(R, Name) using Name = TDelegate<R()>;
#define DECLARE_DYNAMIC_DELEGATE(Name) using Name = unreal_shim::TDynamicDelegate<void()>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE(Name) using Name = unreal_shim::TDynamicMulticastDelegate<void()>;
#define DECLARE_DELEGATE_OneParam(Name, P1) using Name = TDelegate<void(P1)>;
#define DECLARE_TS_DELEGATE_OneParam(Name, P1) using Name = TDelegate<void(P1), FDefaultTSDelegateUserPolicy>;
#define DECLARE_MULTICAST_DELEGATE_OneParam(Name, P1) using Name = TMulticastDelegate<void(P1)>;
#define DECLARE_TS_MULTICAST_DELEGATE_OneParam(Name, P1) \
  using Name = TMulticastDelegate<void(P1), FDefaultTSDelegateUserPolicy>;
#define DECLARE_EVENT_OneParam(Owner, Name, P1)      \
  class Name : public TMulticastDelegate<void(P1)> { \
    friend class Owner;                              \
  };
#define DECLARE_DELEGATE_RetVal_OneParam(R, Name, P1) using Name = TDelegate<R(P1)>;
#define DECLARE_DYNAMIC_DELEGATE_OneParam(Name, T1, N1) using Name = unreal_shim::TDynamicDelegate<void(T1)>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(Name, T1, N1) \
  using Name = unreal_shim::TDynamicMulticastDelegate<void(T1)>;
#define DECLARE_DELEGATE_TwoParams(Name, P1, P2) using Name = TDelegate<void(P1, P2)>;
#define DECLARE_TS_DELEGATE_TwoParams(Name, P1, P2) using Name = TDelegate<void(P1, P2), FDefaultTSDelegateUserPolicy>;
#define DECLARE_MULTICAST_DELEGATE_TwoParams(Name, P1, P2) using Name = TMulticastDelegate<void(P1, P2)>;
#define DECLARE_TS_MULTICAST_DELEGATE_TwoParams(Name, P1, P2) \
  using Name = TMulticastDelegate<void(P1, P2), FDefaultTSDelegateUserPolicy>;
#define DECLARE_EVENT_TwoParams(Owner, Name, P1, P2)     \
  class Name : public TMulticastDelegate<void(P1, P2)> { \
    friend class Owner;                                  \
  };
#define DECLARE_DELEGATE_RetVal_TwoParams(R, Name, P1, P2) using Name = TDelegate<R(P1, P2)>;
#define DECLARE_DYNAMIC_DELEGATE_TwoParams(Name, T1, N1, T2, N2) \
  using Name = unreal_shim::TDynamicDelegate<void(T1, T2)>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(Name, T1, N1, T2, N2) \
  using Name = unreal_shim::TDynamicMulticastDelegate<void(T1, T2)>;
#define DECLARE_DELEGATE_ThreeParams(Name, P1, P2, P3) using Name = TDelegate<void(P1, P2, P3)>;
#define DECLARE_TS_DELEGATE_ThreeParams(Name, P1, P2, P3) \
  using Name = TDelegate<void(P1, P2, P3), FDefaultTSDelegateUserPolicy>;
#define DECLARE_MULTICAST_DELEGATE_ThreeParams(Name, P1, P2, P3) using Name = TMulticastDelegate<void(P1, P2, P3)>;
#define DECLARE_TS_MULTICAST_DELEGATE_ThreeParams(Name, P1, P2, P3) \
  using Name = TMulticastDelegate<void(P1, P2, P3), FDefaultTSDelegateUserPolicy>;
#define DECLARE_EVENT_ThreeParams(Owner, Name, P1, P2, P3)   \
  class Name : public TMulticastDelegate<void(P1, P2, P3)> { \
    friend class Owner;                                      \
  };
#define DECLARE_DELEGATE_RetVal_ThreeParams(R, Name, P1, P2, P3) using Name = TDelegate<R(P1, P2, P3)>;
#define DECLARE_DYNAMIC_DELEGATE_ThreeParams(Name, T1, N1, T2, N2, T3, N3) \
  using Name = unreal_shim::TDynamicDelegate<void(T1, T2, T3)>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_ThreeParams(Name, T1, N1, T2, N2, T3, N3) \
  using Name = unreal_shim::TDynamicMulticastDelegate<void(T1, T2, T3)>;
#define DECLARE_DELEGATE_FourParams(Name, P1, P2, P3, P4) using Name = TDelegate<void(P1, P2, P3, P4)>;
#define DECLARE_TS_DELEGATE_FourParams(Name, P1, P2, P3, P4) \
  using Name = TDelegate<void(P1, P2, P3, P4), FDefaultTSDelegateUserPolicy>;
#define DECLARE_MULTICAST_DELEGATE_FourParams(Name, P1, P2, P3, P4) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4)>;
#define DECLARE_TS_MULTICAST_DELEGATE_FourParams(Name, P1, P2, P3, P4) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4), FDefaultTSDelegateUserPolicy>;
#define DECLARE_EVENT_FourParams(Owner, Name, P1, P2, P3, P4)    \
  class Name : public TMulticastDelegate<void(P1, P2, P3, P4)> { \
    friend class Owner;                                          \
  };
#define DECLARE_DELEGATE_RetVal_FourParams(R, Name, P1, P2, P3, P4) using Name = TDelegate<R(P1, P2, P3, P4)>;
#define DECLARE_DYNAMIC_DELEGATE_FourParams(Name, T1, N1, T2, N2, T3, N3, T4, N4) \
  using Name = unreal_shim::TDynamicDelegate<void(T1, T2, T3, T4)>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_FourParams(Name, T1, N1, T2, N2, T3, N3, T4, N4) \
  using Name = unreal_shim::TDynamicMulticastDelegate<void(T1, T2, T3, T4)>;
#define DECLARE_DELEGATE_FiveParams(Name, P1, P2, P3, P4, P5) using Name = TDelegate<void(P1, P2, P3, P4, P5)>;
#define DECLARE_TS_DELEGATE_FiveParams(Name, P1, P2, P3, P4, P5) \
  using Name = TDelegate<void(P1, P2, P3, P4, P5), FDefaultTSDelegateUserPolicy>;
#define DECLARE_MULTICAST_DELEGATE_FiveParams(Name, P1, P2, P3, P4, P5) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4, P5)>;
#define DECLARE_TS_MULTICAST_DELEGATE_FiveParams(Name, P1, P2, P3, P4, P5) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4, P5), FDefaultTSDelegateUserPolicy>;
#define DECLARE_EVENT_FiveParams(Owner, Name, P1, P2, P3, P4, P5)    \
  class Name : public TMulticastDelegate<void(P1, P2, P3, P4, P5)> { \
    friend class Owner;                                              \
  };
#define DECLARE_DELEGATE_RetVal_FiveParams(R, Name, P1, P2, P3, P4, P5) using Name = TDelegate<R(P1, P2, P3, P4, P5)>;
#define DECLARE_DYNAMIC_DELEGATE_FiveParams(Name, T1, N1, T2, N2, T3, N3, T4, N4, T5, N5) \
  using Name = unreal_shim::TDynamicDelegate<void(T1, T2, T3, T4, T5)>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_FiveParams(Name, T1, N1, T2, N2, T3, N3, T4, N4, T5, N5) \
  using Name = unreal_shim::TDynamicMulticastDelegate<void(T1, T2, T3, T4, T5)>;
#define DECLARE_DELEGATE_SixParams(Name, P1, P2, P3, P4, P5, P6) using Name = TDelegate<void(P1, P2, P3, P4, P5, P6)>;
#define DECLARE_TS_DELEGATE_SixParams(Name, P1, P2, P3, P4, P5, P6) \
  using Name = TDelegate<void(P1, P2, P3, P4, P5, P6), FDefaultTSDelegateUserPolicy>;
#define DECLARE_MULTICAST_DELEGATE_SixParams(Name, P1, P2, P3, P4, P5, P6) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4, P5, P6)>;
#define DECLARE_TS_MULTICAST_DELEGATE_SixParams(Name, P1, P2, P3, P4, P5, P6) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4, P5, P6), FDefaultTSDelegateUserPolicy>;
#define DECLARE_EVENT_SixParams(Owner, Name, P1, P2, P3, P4, P5, P6)     \
  class Name : public TMulticastDelegate<void(P1, P2, P3, P4, P5, P6)> { \
    friend class Owner;                                                  \
  };
#define DECLARE_DELEGATE_RetVal_SixParams(R, Name, P1, P2, P3, P4, P5, P6) \
  using Name = TDelegate<R(P1, P2, P3, P4, P5, P6)>;
#define DECLARE_DYNAMIC_DELEGATE_SixParams(Name, T1, N1, T2, N2, T3, N3, T4, N4, T5, N5, T6, N6) \
  using Name = unreal_shim::TDynamicDelegate<void(T1, T2, T3, T4, T5, T6)>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_SixParams(Name, T1, N1, T2, N2, T3, N3, T4, N4, T5, N5, T6, N6) \
  using Name = unreal_shim::TDynamicMulticastDelegate<void(T1, T2, T3, T4, T5, T6)>;
#define DECLARE_DELEGATE_SevenParams(Name, P1, P2, P3, P4, P5, P6, P7) \
  using Name = TDelegate<void(P1, P2, P3, P4, P5, P6, P7)>;
#define DECLARE_TS_DELEGATE_SevenParams(Name, P1, P2, P3, P4, P5, P6, P7) \
  using Name = TDelegate<void(P1, P2, P3, P4, P5, P6, P7), FDefaultTSDelegateUserPolicy>;
#define DECLARE_MULTICAST_DELEGATE_SevenParams(Name, P1, P2, P3, P4, P5, P6, P7) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4, P5, P6, P7)>;
#define DECLARE_TS_MULTICAST_DELEGATE_SevenParams(Name, P1, P2, P3, P4, P5, P6, P7) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4, P5, P6, P7), FDefaultTSDelegateUserPolicy>;
#define DECLARE_EVENT_SevenParams(Owner, Name, P1, P2, P3, P4, P5, P6, P7)   \
  class Name : public TMulticastDelegate<void(P1, P2, P3, P4, P5, P6, P7)> { \
    friend class Owner;                                                      \
  };
#define DECLARE_DELEGATE_RetVal_SevenParams(R, Name, P1, P2, P3, P4, P5, P6, P7) \
  using Name = TDelegate<R(P1, P2, P3, P4, P5, P6, P7)>;
#define DECLARE_DYNAMIC_DELEGATE_SevenParams(Name, T1, N1, T2, N2, T3, N3, T4, N4, T5, N5, T6, N6, T7, N7) \
  using Name = unreal_shim::TDynamicDelegate<void(T1, T2, T3, T4, T5, T6, T7)>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_SevenParams(Name, T1, N1, T2, N2, T3, N3, T4, N4, T5, N5, T6, N6, T7, N7) \
  using Name = unreal_shim::TDynamicMulticastDelegate<void(T1, T2, T3, T4, T5, T6, T7)>;
#define DECLARE_DELEGATE_EightParams(Name, P1, P2, P3, P4, P5, P6, P7, P8) \
  using Name = TDelegate<void(P1, P2, P3, P4, P5, P6, P7, P8)>;
#define DECLARE_TS_DELEGATE_EightParams(Name, P1, P2, P3, P4, P5, P6, P7, P8) \
  using Name = TDelegate<void(P1, P2, P3, P4, P5, P6, P7, P8), FDefaultTSDelegateUserPolicy>;
#define DECLARE_MULTICAST_DELEGATE_EightParams(Name, P1, P2, P3, P4, P5, P6, P7, P8) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4, P5, P6, P7, P8)>;
#define DECLARE_TS_MULTICAST_DELEGATE_EightParams(Name, P1, P2, P3, P4, P5, P6, P7, P8) \
  using Name = TMulticastDelegate<void(P1, P2, P3, P4, P5, P6, P7, P8), FDefaultTSDelegateUserPolicy>;
#define DECLARE_EVENT_EightParams(Owner, Name, P1, P2, P3, P4, P5, P6, P7, P8)   \
  class Name : public TMulticastDelegate<void(P1, P2, P3, P4, P5, P6, P7, P8)> { \
    friend class Owner;                                                          \
  };
#define DECLARE_DELEGATE_RetVal_EightParams(R, Name, P1, P2, P3, P4, P5, P6, P7, P8) \
  using Name = TDelegate<R(P1, P2, P3, P4, P5, P6, P7, P8)>;
#define DECLARE_DYNAMIC_DELEGATE_EightParams(Name, T1, N1, T2, N2, T3, N3, T4, N4, T5, N5, T6, N6, T7, N7, T8, N8) \
  using Name = unreal_shim::TDynamicDelegate<void(T1, T2, T3, T4, T5, T6, T7, T8)>;
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_EightParams(Name, T1, N1, T2, N2, T3, N3, T4, N4, T5, N5, T6, N6, T7, N7, \
                                                       T8, N8)                                                       \
  using Name = unreal_shim::TDynamicMulticastDelegate<void(T1, T2, T3, T4, T5, T6, T7, T8)>;

// Dynamic delegates bind UFUNCTIONs by name in the engine; here by pointer. The name is kept for messages.
namespace unreal_shim {
template <typename Sig>
class TDynamicDelegate;
template <typename... A>
class TDynamicDelegate<void(A...)> : public TDelegate<void(A...)> {
 public:
  TDynamicDelegate() = default;
  template <typename T, typename M>
  void Bind_(T *Object, M Method) {
    this->BindUObject(Object, Method);
  }
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
#define BindDynamic(Object, Method) Bind_(Object, Method)
