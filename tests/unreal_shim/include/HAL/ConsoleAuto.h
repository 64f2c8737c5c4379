// Part of IConsoleManager.h: console objects as globals, which register themselves and leave with their module.
#pragma once

class CORE_API FAutoConsoleObject {
 public:
  FAutoConsoleObject(const FAutoConsoleObject &) = delete;
  FAutoConsoleObject &operator=(const FAutoConsoleObject &) = delete;

 protected:
  explicit FAutoConsoleObject(IConsoleObject *In) : Target(In) {}
  virtual ~FAutoConsoleObject() { IConsoleManager::Get().UnregisterConsoleObject(Target); }
  IConsoleObject *Target;
};
class FAutoConsoleVariable : public FAutoConsoleObject {
 public:
  template <typename T>
  FAutoConsoleVariable(const TCHAR *Name, const T &Default, const TCHAR *Help, uint32 Flags = ECVF_Default)
      : FAutoConsoleObject(IConsoleManager::Get().RegisterConsoleVariable(Name, Default, Help, Flags)) {}
  template <typename T>
  FAutoConsoleVariable(const TCHAR *Name, const T &Default, const TCHAR *Help, const FConsoleVariableDelegate &Callback,
                       uint32 Flags = ECVF_Default)
      : FAutoConsoleVariable(Name, Default, Help, Flags) {
    AsVariable()->SetOnChangedCallback(Callback);
  }
  IConsoleVariable *AsVariable() const { return static_cast<IConsoleVariable *>(Target); }
  IConsoleVariable &operator*() const { return *AsVariable(); }
  IConsoleVariable *operator->() const { return AsVariable(); }
};
class FAutoConsoleVariableRef : public FAutoConsoleObject {
 public:
  template <typename T>
  FAutoConsoleVariableRef(const TCHAR *Name, T &Ref, const TCHAR *Help, uint32 Flags = ECVF_Default)
      : FAutoConsoleObject(IConsoleManager::Get().RegisterConsoleVariableRef(Name, Ref, Help, Flags)) {}
  template <typename T>
  FAutoConsoleVariableRef(const TCHAR *Name, T &Ref, const TCHAR *Help, const FConsoleVariableDelegate &Callback,
                          uint32 Flags = ECVF_Default)
      : FAutoConsoleVariableRef(Name, Ref, Help, Flags) {
    AsVariable()->SetOnChangedCallback(Callback);
  }
  IConsoleVariable *AsVariable() const { return static_cast<IConsoleVariable *>(Target); }
  IConsoleVariable *operator->() const { return AsVariable(); }
};
template <typename T>
class TAutoConsoleVariable : public FAutoConsoleVariable {
 public:
  TAutoConsoleVariable(const TCHAR *Name, const T &Default, const TCHAR *Help, uint32 Flags = ECVF_Default)
      : FAutoConsoleVariable(Name, Default, Help, Flags) {}
  TAutoConsoleVariable(const TCHAR *Name, const T &Default, const TCHAR *Help, const FConsoleVariableDelegate &Callback,
                       uint32 Flags = ECVF_Default)
      : FAutoConsoleVariable(Name, Default, Help, Callback, Flags) {}
  T GetValueOnAnyThread(bool = false) const {
    if constexpr (std::is_same_v<T, bool>)
      return AsVariable()->GetBool();
    else if constexpr (std::is_same_v<T, int32>)
      return AsVariable()->GetInt();
    else if constexpr (std::is_same_v<T, float>)
      return AsVariable()->GetFloat();
    else
      return AsVariable()->GetString();
  }
  T GetValueOnGameThread() const { return GetValueOnAnyThread(); }
};
#define UE_SHIM_AUTO_COMMAND(Class, Delegate)                                                              \
  class Class : public FAutoConsoleObject {                                                                \
   public:                                                                                                 \
    Class(const TCHAR *Name, const TCHAR *Help, const Delegate &Command, uint32 Flags = ECVF_Default)      \
        : FAutoConsoleObject(IConsoleManager::Get().RegisterConsoleCommand(Name, Help, Command, Flags)) {} \
  };
UE_SHIM_AUTO_COMMAND(FAutoConsoleCommandWithWorld, FConsoleCommandWithWorldDelegate)
UE_SHIM_AUTO_COMMAND(FAutoConsoleCommandWithWorldAndArgs, FConsoleCommandWithWorldAndArgsDelegate)
UE_SHIM_AUTO_COMMAND(FAutoConsoleCommandWithOutputDevice, FConsoleCommandWithOutputDeviceDelegate)
UE_SHIM_AUTO_COMMAND(FAutoConsoleCommandWithWorldArgsAndOutputDevice,
                     FConsoleCommandWithWorldArgsAndOutputDeviceDelegate)
#undef UE_SHIM_AUTO_COMMAND
class FAutoConsoleCommand : public FAutoConsoleObject {
 public:
  FAutoConsoleCommand(const TCHAR *Name, const TCHAR *Help, const FConsoleCommandDelegate &Command,
                      uint32 Flags = ECVF_Default)
      : FAutoConsoleObject(IConsoleManager::Get().RegisterConsoleCommand(Name, Help, Command, Flags)) {}
  FAutoConsoleCommand(const TCHAR *Name, const TCHAR *Help, const FConsoleCommandWithArgsDelegate &Command,
                      uint32 Flags = ECVF_Default)
      : FAutoConsoleObject(IConsoleManager::Get().RegisterConsoleCommand(Name, Help, Command, Flags)) {}
};
