// The console: objects by name, whatever its case.
#include "Containers/Map.h"
#include "CoreMinimal.h"
#include "HAL/IConsoleManager.h"
#include "Misc/Parse.h"
#include "Misc/ScopeLock.h"
#include "State.h"

namespace {
template <typename TBase>
class TObject : public TBase {
 public:
  TObject(const TCHAR *InHelp, uint32 InFlags) : Help(InHelp), Flags(InFlags) {}
  const TCHAR *GetHelp() const override { return *Help; }
  EConsoleVariableFlags GetFlags() const override { return EConsoleVariableFlags(Flags); }
  void SetFlags(EConsoleVariableFlags In) override { Flags = In; }

 protected:
  FString Help;
  uint32 Flags;
};

template <typename T>
class TVariable final : public TObject<IConsoleVariable> {
 public:
  TVariable(T InDefault, T *InRef, const TCHAR *InHelp, uint32 InFlags)
      : TObject(InHelp, InFlags), Own(InDefault), Default(InDefault), Ref(InRef) {}
  void Set(const TCHAR *Text, EConsoleVariableFlags SetBy) override {
    const uint32 By = uint32(SetBy) & ECVF_SetByMask;
    if (By < (Flags & ECVF_SetByMask)) {
#if !NO_LOGGING
      GLog->Serialize(
          *FString::Printf(
              TEXT("Setting the console variable with a lower priority than its last was ignored. Value remains '%s'"),
              *GetString()),
          ELogVerbosity::Warning, LogConsoleResponse.GetCategoryName());
#endif
      return;
    }
    Flags = (Flags & ~uint32(ECVF_SetByMask)) | By;
    LexFromString(Value(), Text);
    Callback.ExecuteIfBound(this);
    Changed.Broadcast(this);
  }
  bool GetBool() const override { return GetInt() != 0; }
  int32 GetInt() const override {
    if constexpr (std::is_same_v<T, FString>)
      return FCString::Atoi(*Get());
    else
      return int32(Get());
  }
  float GetFloat() const override {
    if constexpr (std::is_same_v<T, FString>)
      return FCString::Atof(*Get());
    else
      return float(Get());
  }
  FString GetString() const override { return LexToString(Get()); }
  FString GetDefaultValue() override { return LexToString(Default); }
  bool IsVariableBool() const override { return std::is_same_v<T, bool>; }
  bool IsVariableInt() const override { return std::is_same_v<T, int32>; }
  bool IsVariableFloat() const override { return std::is_same_v<T, float>; }
  bool IsVariableString() const override { return std::is_same_v<T, FString>; }
  void SetOnChangedCallback(const FConsoleVariableDelegate &In) override { Callback = In; }
  FConsoleVariableMulticastDelegate &OnChangedDelegate() override { return Changed; }

 private:
  T &Value() { return Ref ? *Ref : Own; }
  const T &Get() const { return Ref ? *Ref : Own; }
  T Own, Default;
  T *Ref;
  FConsoleVariableDelegate Callback;
  FConsoleVariableMulticastDelegate Changed;
};

class FCommand final : public TObject<IConsoleCommand> {
 public:
  using FFunction = TFunction<void(const TArray<FString> &, UWorld *, FOutputDevice &)>;
  FCommand(FFunction In, const TCHAR *InHelp, uint32 InFlags) : TObject(InHelp, InFlags), Function(MoveTemp(In)) {}
  bool Execute(const TArray<FString> &Args, UWorld *World, FOutputDevice &Ar) override {
    Function(Args, World, Ar);
    return true;
  }

 private:
  FFunction Function;
};

class FManager final : public IConsoleManager {
  template <typename T>
  IConsoleVariable *AddVariable(const TCHAR *Name, T Default, T *Ref, const TCHAR *Help, uint32 Flags) {
    const FScopeLock Lock(&Mutex);
    check(!Objects.Find(Name));
    IConsoleVariable *New = new TVariable<T>(Default, Ref, Help, Flags);
    Objects.Add(Name, New);
    if (const TPair<FString, uint32> *Before = Kept.Find(Name))
      New->Set(*Before->Key, EConsoleVariableFlags(Before->Value));
    return New;
  }
  IConsoleCommand *AddCommand(const TCHAR *Name, const TCHAR *Help, uint32 Flags, FCommand::FFunction Function) {
    const FScopeLock Lock(&Mutex);
    check(!Objects.Find(Name));
    IConsoleCommand *New = new FCommand(MoveTemp(Function), Help, Flags);
    Objects.Add(Name, New);
    return New;
  }

 public:
  using FS = const TCHAR *;
  IConsoleVariable *RegisterConsoleVariable(FS Name, bool D, FS Help, uint32 F) override {
    return AddVariable<bool>(Name, D, nullptr, Help, F);
  }
  IConsoleVariable *RegisterConsoleVariable(FS Name, int32 D, FS Help, uint32 F) override {
    return AddVariable<int32>(Name, D, nullptr, Help, F);
  }
  IConsoleVariable *RegisterConsoleVariable(FS Name, float D, FS Help, uint32 F) override {
    return AddVariable<float>(Name, D, nullptr, Help, F);
  }
  IConsoleVariable *RegisterConsoleVariable(FS Name, FS D, FS Help, uint32 F) override {
    return AddVariable<FString>(Name, D, nullptr, Help, F);
  }
  IConsoleVariable *RegisterConsoleVariable(FS Name, const FString &D, FS Help, uint32 F) override {
    return AddVariable<FString>(Name, D, nullptr, Help, F);
  }
  IConsoleVariable *RegisterConsoleVariableRef(FS Name, int32 &R, FS Help, uint32 F) override {
    return AddVariable<int32>(Name, R, &R, Help, F);
  }
  IConsoleVariable *RegisterConsoleVariableRef(FS Name, float &R, FS Help, uint32 F) override {
    return AddVariable<float>(Name, R, &R, Help, F);
  }
  IConsoleVariable *RegisterConsoleVariableRef(FS Name, bool &R, FS Help, uint32 F) override {
    return AddVariable<bool>(Name, R, &R, Help, F);
  }
  IConsoleVariable *RegisterConsoleVariableRef(FS Name, FString &R, FS Help, uint32 F) override {
    return AddVariable<FString>(Name, R, &R, Help, F);
  }
  using FArgs = const TArray<FString> &;
  IConsoleCommand *RegisterConsoleCommand(FS Name, FS Help, const FConsoleCommandDelegate &C, uint32 F) override {
    return AddCommand(Name, Help, F, [C](FArgs, UWorld *, FOutputDevice &) { C.ExecuteIfBound(); });
  }
  IConsoleCommand *RegisterConsoleCommand(FS Name, FS Help, const FConsoleCommandWithArgsDelegate &C,
                                          uint32 F) override {
    return AddCommand(Name, Help, F, [C](FArgs Args, UWorld *, FOutputDevice &) { C.ExecuteIfBound(Args); });
  }
  IConsoleCommand *RegisterConsoleCommand(FS Name, FS Help, const FConsoleCommandWithWorldDelegate &C,
                                          uint32 F) override {
    return AddCommand(Name, Help, F, [C](FArgs, UWorld *World, FOutputDevice &) { C.ExecuteIfBound(World); });
  }
  IConsoleCommand *RegisterConsoleCommand(FS Name, FS Help, const FConsoleCommandWithWorldAndArgsDelegate &C,
                                          uint32 F) override {
    return AddCommand(Name, Help, F,
                      [C](FArgs Args, UWorld *World, FOutputDevice &) { C.ExecuteIfBound(Args, World); });
  }
  IConsoleCommand *RegisterConsoleCommand(FS Name, FS Help, const FConsoleCommandWithOutputDeviceDelegate &C,
                                          uint32 F) override {
    return AddCommand(Name, Help, F, [C](FArgs, UWorld *, FOutputDevice &Ar) { C.ExecuteIfBound(Ar); });
  }
  IConsoleCommand *RegisterConsoleCommand(FS Name, FS Help,
                                          const FConsoleCommandWithWorldArgsAndOutputDeviceDelegate &C,
                                          uint32 F) override {
    return AddCommand(Name, Help, F,
                      [C](FArgs Args, UWorld *World, FOutputDevice &Ar) { C.ExecuteIfBound(Args, World, Ar); });
  }
  void UnregisterConsoleObject(IConsoleObject *Object, bool bKeepState) override {
    const FScopeLock Lock(&Mutex);
    for (const TPair<FString, IConsoleObject *> &Pair : Objects)
      if (Pair.Value == Object) {
        UnregisterConsoleObject(*FString(Pair.Key), bKeepState);
        return;
      }
  }
  void UnregisterConsoleObject(FS Name, bool bKeepState) override {
    const FScopeLock Lock(&Mutex);
    IConsoleObject *Object = nullptr;
    if (!Objects.RemoveAndCopyValue(Name, Object)) return;
    IConsoleVariable *Variable = Object->AsVariable();
    if (Variable && bKeepState) Kept.Add(Name, {Variable->GetString(), uint32(Variable->GetFlags()) & ECVF_SetByMask});
    delete Object;
  }
  IConsoleObject *FindConsoleObject(FS Name, bool) const override {
    const FScopeLock Lock(&Mutex);
    IConsoleObject *const *Found = Objects.Find(Name);
    return Found ? *Found : nullptr;
  }
  IConsoleVariable *FindConsoleVariable(FS Name, bool) const override {
    IConsoleObject *Object = FindConsoleObject(Name, false);
    return Object ? Object->AsVariable() : nullptr;
  }
  bool IsNameRegistered(FS Name) const override { return FindConsoleObject(Name, false) != nullptr; }
  FConsoleVariableSinkHandle RegisterConsoleVariableSink_Handle(const FConsoleCommandDelegate &Command) override {
    return {Sinks.Add(Command)};
  }
  void UnregisterConsoleVariableSink_Handle(FConsoleVariableSinkHandle Handle) override { Sinks.Remove(Handle.Handle); }
  void CallAllConsoleVariableSinks() override { Sinks.Broadcast(); }
  bool ProcessUserConsoleInput(FS Input, FOutputDevice &Ar, UWorld *World) override {
    const TCHAR *Rest = Input;
    FString Name, Argument;
    if (!FParse::Token(Rest, Name, false)) return false;
    const bool bHelp = Name.RemoveFromEnd(TEXT("?"));
    IConsoleObject *Object = FindConsoleObject(*Name, false);
    if (!Object) return false;
    if (bHelp) {
      Ar.Logf(TEXT("HELP for '%s':\n%s"), *Name, Object->GetHelp());
    } else if (IConsoleCommand *Command = Object->AsCommand()) {
      TArray<FString> Args;
      while (FParse::Token(Rest, Argument, false)) Args.Add(Argument);
      Command->Execute(Args, World, Ar);
    } else {
      IConsoleVariable *Variable = Object->AsVariable();
      const FString Value = FString(Rest).TrimStartAndEnd().TrimQuotes();
      if (Value.IsEmpty()) {
        Ar.Logf(TEXT("%s = \"%s\"      LastSetBy: %d"), *Name, *Variable->GetString(),
                int32(uint32(Variable->GetFlags()) >> 24));
      } else if (Variable->TestFlags(ECVF_ReadOnly)) {
        Ar.Logf(TEXT("Error: %s is read only!"), *Name);
      } else {
        Variable->Set(*Value, ECVF_SetByConsole);
        Ar.Logf(TEXT("%s = \"%s\""), *Name, *Variable->GetString());
        CallAllConsoleVariableSinks();
      }
    }
    return true;
  }
  void ForEachConsoleObjectThatStartsWith(const FConsoleObjectVisitor &Visitor, FS Start) const override {
    TArray<TPair<FString, IConsoleObject *>> Now;
    {
      const FScopeLock Lock(&Mutex);
      for (const TPair<FString, IConsoleObject *> &Pair : Objects)
        if (Pair.Key.StartsWith(Start)) Now.Add(Pair);
    }
    for (const TPair<FString, IConsoleObject *> &Pair : Now) Visitor.ExecuteIfBound(*Pair.Key, Pair.Value);
  }

 private:
  mutable FCriticalSection Mutex;
  TMap<FString, IConsoleObject *> Objects;
  TMap<FString, TPair<FString, uint32>> Kept;  // of variables whose module is gone
  TMulticastDelegate<void()> Sinks;
};
}  // namespace

IConsoleManager &IConsoleManager::Get() {
  static FManager *const The = new FManager;
  return *The;
}

bool unreal_shim::Exec(const TCHAR *Command) {
  const TCHAR *Rest = Command;
  UWorld *World = EngineHooks().World ? EngineHooks().World() : nullptr;
  if (IConsoleManager::Get().ProcessUserConsoleInput(Command, *GLog, World)) return true;
  if (FParse::Command(&Rest, TEXT("stat"))) {
    if (!FParse::Command(&Rest, TEXT("namedevents"))) return false;
    GCycleStatsShouldEmitNamedEvents = GCycleStatsShouldEmitNamedEvents ? 0 : 1;
    return true;
  }
  if (FParse::Command(&Rest, TEXT("log"))) {
    const FString Category = FParse::Token(Rest, false), Level = FParse::Token(Rest, false);
    return SetLogVerbosity(Category, Level);
  }
  return false;
}
