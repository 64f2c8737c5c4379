// TFunction (owns), TUniqueFunction (moves only), TFunctionRef (borrows).
#pragma once
#include "Templates/UnrealTemplate.h"

namespace unreal_shim {
template <typename R, typename... A>
struct TCallable {
  virtual ~TCallable() = default;
  virtual R Call(A... Args) = 0;
  virtual TCallable *Clone() const = 0;
};
template <typename F, typename R, typename... A>
struct TCallableOf final : TCallable<R, A...> {
  F Functor;
  template <typename G>
  explicit TCallableOf(G &&In) : Functor(Forward<G>(In)) {}
  R Call(A... Args) override { return Functor(static_cast<A &&>(Args)...); }
  TCallable<R, A...> *Clone() const override {
    if constexpr (std::is_copy_constructible_v<F>)
      return new TCallableOf(Functor);
    else
      return nullptr;
  }
};
}  // namespace unreal_shim

template <typename Sig>
class TUniqueFunction;
template <typename R, typename... A>
class TUniqueFunction<R(A...)> {
 public:
  TUniqueFunction(decltype(nullptr) = nullptr) {}
  template <typename F, typename = std::enable_if_t<!std::is_base_of_v<TUniqueFunction, std::decay_t<F>> &&
                                                    std::is_invocable_r_v<R, std::decay_t<F> &, A...>>>
  TUniqueFunction(F &&In) : Callable(new unreal_shim::TCallableOf<std::decay_t<F>, R, A...>(Forward<F>(In))) {}
  TUniqueFunction(TUniqueFunction &&O) noexcept : Callable(O.Callable) { O.Callable = nullptr; }
  TUniqueFunction &operator=(TUniqueFunction &&O) noexcept {
    Swap(Callable, O.Callable);
    return *this;
  }
  ~TUniqueFunction() { delete Callable; }
  R operator()(A... Args) const { return Callable->Call(static_cast<A &&>(Args)...); }
  explicit operator bool() const { return Callable != nullptr; }
  bool IsSet() const { return Callable != nullptr; }
  void Reset() {
    delete Callable;
    Callable = nullptr;
  }
  friend bool operator==(const TUniqueFunction &F, decltype(nullptr)) { return !F.Callable; }

 protected:
  unreal_shim::TCallable<R, A...> *Callable = nullptr;
};

template <typename Sig>
class TFunction;
template <typename R, typename... A>
class TFunction<R(A...)> : public TUniqueFunction<R(A...)> {
  using Base = TUniqueFunction<R(A...)>;

 public:
  TFunction(decltype(nullptr) = nullptr) {}
  template <typename F, typename = std::enable_if_t<!std::is_base_of_v<TFunction, std::decay_t<F>> &&
                                                    std::is_invocable_r_v<R, std::decay_t<F> &, A...>>>
  TFunction(F &&In) : Base(Forward<F>(In)) {
    static_assert(std::is_copy_constructible_v<std::decay_t<F>>, "TFunction needs a copyable functor");
  }
  TFunction(const TFunction &O) : Base() { this->Callable = O.Callable ? O.Callable->Clone() : nullptr; }
  TFunction(TFunction &&) noexcept = default;
  TFunction &operator=(TFunction O) noexcept {
    Swap(this->Callable, O.Callable);
    return *this;
  }
};

template <typename Sig>
class TFunctionRef;
template <typename R, typename... A>
class TFunctionRef<R(A...)> {
 public:
  template <typename F, typename = std::enable_if_t<!std::is_same_v<std::decay_t<F>, TFunctionRef>>>
  TFunctionRef(F &&In)
      : Object(const_cast<void *>(static_cast<const void *>(&In))), Invoke([](void *O, A... Args) -> R {
          return (*static_cast<std::remove_reference_t<F> *>(O))(static_cast<A &&>(Args)...);
        }) {}
  R operator()(A... Args) const { return Invoke(Object, static_cast<A &&>(Args)...); }

 private:
  void *Object;
  R (*Invoke)(void *, A...);
};
