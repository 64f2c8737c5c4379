// StaticClass for classes that no generated body makes: the shim's own, and a test's.
#pragma once
#include "UObject/UObjectGlobals.h"

#define UE_SHIM_CLASS_INFO(Type, Name, Module, SuperClass, Create)                            \
  UClass *Type::StaticClass() {                                                               \
    static UClass *const The = unreal_shim::RegisterClass(                                    \
        {TEXT(Name), TEXT("/Script/" Module), TEXT(""), SuperClass, Create, nullptr, false}); \
    return The;                                                                               \
  }
#define UE_SHIM_CLASS(Type, Name, Module, SuperClass) \
  UE_SHIM_CLASS_INFO(Type, Name, Module, SuperClass, [] { return static_cast<UObject *>(new Type()); })
#define UE_SHIM_ABSTRACT_CLASS(Type, Name, Module, SuperClass) \
  UE_SHIM_CLASS_INFO(Type, Name, Module, SuperClass, nullptr)
