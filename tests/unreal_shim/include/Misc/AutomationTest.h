// Automation tests: simple ones and latent commands. unreal_shim::RunAutomation runs one by name.
#pragma once
#include "CoreMinimal.h"

#if UE_SHIM_VERSION >= 505
enum class EAutomationTestFlags : uint32 {
  None = 0,
  EditorContext = 0x1,
  ClientContext = 0x2,
  ServerContext = 0x4,
  CommandletContext = 0x8,
  SmokeFilter = 0x01000000,
  EngineFilter = 0x02000000,
  ProductFilter = 0x04000000,
  PerfFilter = 0x08000000
};
ENUM_CLASS_FLAGS(EAutomationTestFlags)
inline constexpr EAutomationTestFlags EAutomationTestFlags_ApplicationContextMask = EAutomationTestFlags(0xf);
#else
namespace EAutomationTestFlags {
enum Type {
  EditorContext = 0x1,
  ClientContext = 0x2,
  ServerContext = 0x4,
  CommandletContext = 0x8,
  ApplicationContextMask = 0xf,
  SmokeFilter = 0x01000000,
  EngineFilter = 0x02000000,
  ProductFilter = 0x04000000,
  PerfFilter = 0x08000000
};
}
#endif
class IAutomationLatentCommand {
 public:
  virtual ~IAutomationLatentCommand() = default;
  virtual bool Update() = 0;
};
class CORE_API FAutomationTestBase {
 public:
  FAutomationTestBase(const FString &InName, const bool bIsComplex);
  virtual ~FAutomationTestBase();
  virtual bool RunTest(const FString &Parameters) = 0;
  void AddError(const FString &Text) { Errors.Add(Text); }
  void AddInfo(const FString &Text) { Infos.Add(Text); }
  FString TestName;
  TArray<FString> Errors, Warnings, Infos;
};
class CORE_API FAutomationTestFramework {
 public:
  static FAutomationTestFramework &Get();
  void EnqueueLatentCommand(TSharedPtr<IAutomationLatentCommand> Command);
};
#define ADD_LATENT_AUTOMATION_COMMAND(Declaration) \
  FAutomationTestFramework::Get().EnqueueLatentCommand(MakeShareable(new Declaration))
#define IMPLEMENT_SIMPLE_AUTOMATION_TEST(Class, PrettyName, Flags)          \
  class Class : public FAutomationTestBase {                                \
   public:                                                                  \
    Class() : FAutomationTestBase(TEXT(PrettyName), false) {                \
      static_assert(sizeof(Flags) == 4, "the flags of an automation test"); \
    }                                                                       \
    bool RunTest(const FString &Parameters) override;                       \
  };                                                                        \
  static Class Class##Instance;
