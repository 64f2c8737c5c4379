// Part of IConsoleManager.h: what can be registered.
#pragma once
#include "Containers/UnrealString.h"
#include "Delegates/Delegate.h"
#include "Misc/OutputDevice.h"

class UWorld;
enum EConsoleVariableFlags {
  ECVF_FlagMask = 0x0000ffff,
  ECVF_Default = 0x0,
  ECVF_Cheat = 0x1,
  ECVF_ReadOnly = 0x4,
  ECVF_Unregistered = 0x8,
  ECVF_RenderThreadSafe = 0x20,
  ECVF_Scalability = 0x40,
  ECVF_ScalabilityGroup = 0x80,
  ECVF_Preview = 0x100,
  ECVF_SetByMask = 0xff000000,
  ECVF_SetByConstructor = 0x00000000,
  ECVF_SetByScalability = 0x01000000,
  ECVF_SetByGameSetting = 0x02000000,
  ECVF_SetByProjectSetting = 0x03000000,
  ECVF_SetBySystemSettingsIni = 0x04000000,
  ECVF_SetByDeviceProfile = 0x05000000,
  ECVF_SetByGameOverride = 0x06000000,
  ECVF_SetByConsoleVariablesIni = 0x07000000,
  ECVF_SetByCommandline = 0x0A000000,
  ECVF_SetByCode = 0x0B000000,
  ECVF_SetByConsole = 0x0C000000
};

class IConsoleVariable;
class IConsoleCommand;
DECLARE_DELEGATE(FConsoleCommandDelegate)
DECLARE_DELEGATE_OneParam(FConsoleCommandWithArgsDelegate, const TArray<FString> &)
    DECLARE_DELEGATE_OneParam(FConsoleCommandWithWorldDelegate, UWorld *)
        DECLARE_DELEGATE_TwoParams(FConsoleCommandWithWorldAndArgsDelegate, const TArray<FString> &, UWorld *)
            DECLARE_DELEGATE_OneParam(FConsoleCommandWithOutputDeviceDelegate, FOutputDevice &)
                DECLARE_DELEGATE_ThreeParams(FConsoleCommandWithWorldArgsAndOutputDeviceDelegate,
                                             const TArray<FString> &, UWorld *, FOutputDevice &)
                    DECLARE_DELEGATE_OneParam(FConsoleVariableDelegate, IConsoleVariable *)
                        DECLARE_MULTICAST_DELEGATE_OneParam(FConsoleVariableMulticastDelegate, IConsoleVariable *)
                            DECLARE_DELEGATE_TwoParams(FConsoleObjectVisitor, const TCHAR *, class IConsoleObject *)

                                struct FConsoleVariableSinkHandle {
  FDelegateHandle Handle;
};
class CORE_API IConsoleObject {
 public:
  virtual ~IConsoleObject() = default;
  virtual const TCHAR *GetHelp() const = 0;
  virtual EConsoleVariableFlags GetFlags() const = 0;
  virtual void SetFlags(EConsoleVariableFlags Flags) = 0;
  bool TestFlags(EConsoleVariableFlags Flags) const { return (uint32(GetFlags()) & uint32(Flags)) != 0; }
  virtual IConsoleVariable *AsVariable() { return nullptr; }
  virtual IConsoleCommand *AsCommand() { return nullptr; }
};
class CORE_API IConsoleVariable : public IConsoleObject {
 public:
  virtual void Set(const TCHAR *Value, EConsoleVariableFlags SetBy = ECVF_SetByCode) = 0;
  void Set(bool Value, EConsoleVariableFlags SetBy = ECVF_SetByCode) { Set(Value ? TEXT("1") : TEXT("0"), SetBy); }
  void Set(int32 Value, EConsoleVariableFlags SetBy = ECVF_SetByCode) { Set(*FString::FromInt(Value), SetBy); }
  void Set(float Value, EConsoleVariableFlags SetBy = ECVF_SetByCode) {
    Set(*FString::Printf(TEXT("%g"), double(Value)), SetBy);
  }
  virtual bool GetBool() const = 0;
  virtual int32 GetInt() const = 0;
  virtual float GetFloat() const = 0;
  virtual FString GetString() const = 0;
  virtual bool IsVariableBool() const = 0;
  virtual bool IsVariableInt() const = 0;
  virtual bool IsVariableFloat() const = 0;
  virtual bool IsVariableString() const = 0;
  virtual FString GetDefaultValue() = 0;
  virtual void SetOnChangedCallback(const FConsoleVariableDelegate &Callback) = 0;
  virtual FConsoleVariableMulticastDelegate &OnChangedDelegate() = 0;
  IConsoleVariable *AsVariable() override { return this; }
};
class CORE_API IConsoleCommand : public IConsoleObject {
 public:
  virtual bool Execute(const TArray<FString> &Args, UWorld *World, FOutputDevice &Ar) = 0;
  IConsoleCommand *AsCommand() override { return this; }
};
