// Console variables and commands. A variable keeps who set it last: a weaker one is refused.
#pragma once
#include "HAL/ConsoleObjects.h"

class CORE_API IConsoleManager {
 public:
  static IConsoleManager &Get();
  virtual ~IConsoleManager() = default;
  virtual IConsoleVariable *RegisterConsoleVariable(const TCHAR *Name, bool Default, const TCHAR *Help,
                                                    uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleVariable *RegisterConsoleVariable(const TCHAR *Name, int32 Default, const TCHAR *Help,
                                                    uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleVariable *RegisterConsoleVariable(const TCHAR *Name, float Default, const TCHAR *Help,
                                                    uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleVariable *RegisterConsoleVariable(const TCHAR *Name, const TCHAR *Default, const TCHAR *Help,
                                                    uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleVariable *RegisterConsoleVariable(const TCHAR *Name, const FString &Default, const TCHAR *Help,
                                                    uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleVariable *RegisterConsoleVariableRef(const TCHAR *Name, int32 &Ref, const TCHAR *Help,
                                                       uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleVariable *RegisterConsoleVariableRef(const TCHAR *Name, float &Ref, const TCHAR *Help,
                                                       uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleVariable *RegisterConsoleVariableRef(const TCHAR *Name, bool &Ref, const TCHAR *Help,
                                                       uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleVariable *RegisterConsoleVariableRef(const TCHAR *Name, FString &Ref, const TCHAR *Help,
                                                       uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleCommand *RegisterConsoleCommand(const TCHAR *Name, const TCHAR *Help,
                                                  const FConsoleCommandDelegate &Command,
                                                  uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleCommand *RegisterConsoleCommand(const TCHAR *Name, const TCHAR *Help,
                                                  const FConsoleCommandWithArgsDelegate &Command,
                                                  uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleCommand *RegisterConsoleCommand(const TCHAR *Name, const TCHAR *Help,
                                                  const FConsoleCommandWithWorldDelegate &Command,
                                                  uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleCommand *RegisterConsoleCommand(const TCHAR *Name, const TCHAR *Help,
                                                  const FConsoleCommandWithWorldAndArgsDelegate &Command,
                                                  uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleCommand *RegisterConsoleCommand(const TCHAR *Name, const TCHAR *Help,
                                                  const FConsoleCommandWithOutputDeviceDelegate &Command,
                                                  uint32 Flags = ECVF_Default) = 0;
  virtual IConsoleCommand *RegisterConsoleCommand(const TCHAR *Name, const TCHAR *Help,
                                                  const FConsoleCommandWithWorldArgsAndOutputDeviceDelegate &Command,
                                                  uint32 Flags = ECVF_Default) = 0;
  virtual void UnregisterConsoleObject(IConsoleObject *Object, bool bKeepState = true) = 0;
  virtual void UnregisterConsoleObject(const TCHAR *Name, bool bKeepState = true) = 0;
  virtual IConsoleObject *FindConsoleObject(const TCHAR *Name, bool bTrackFrequentCalls = true) const = 0;
  virtual IConsoleVariable *FindConsoleVariable(const TCHAR *Name, bool bTrackFrequentCalls = true) const = 0;
  virtual bool IsNameRegistered(const TCHAR *Name) const = 0;
  virtual FConsoleVariableSinkHandle RegisterConsoleVariableSink_Handle(const FConsoleCommandDelegate &Command) = 0;
  virtual void UnregisterConsoleVariableSink_Handle(FConsoleVariableSinkHandle Handle) = 0;
  virtual void CallAllConsoleVariableSinks() = 0;
  virtual bool ProcessUserConsoleInput(const TCHAR *Input, FOutputDevice &Ar, UWorld *World) = 0;
  virtual void ForEachConsoleObjectThatStartsWith(const FConsoleObjectVisitor &Visitor,
                                                  const TCHAR *Start = TEXT("")) const = 0;
};
#include "HAL/ConsoleAuto.h"
