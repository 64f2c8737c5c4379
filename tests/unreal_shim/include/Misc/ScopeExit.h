#pragma once
#include "Templates/UnrealTemplate.h"

namespace unreal_shim {
template <typename F>
struct TScopeExit {
  F Functor;
  ~TScopeExit() { Functor(); }
};
struct FScopeExitSyntax {
  template <typename F>
  TScopeExit<std::decay_t<F>> operator+(F &&Functor) const {
    return {Forward<F>(Functor)};
  }
};
}  // namespace unreal_shim
#define ON_SCOPE_EXIT const auto ANONYMOUS_VARIABLE(ScopeGuard_) = unreal_shim::FScopeExitSyntax() + [&]()
