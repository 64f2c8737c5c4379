// FApp, FEngineVersion.
#include "Misc/App.h"

#include "Misc/CommandLine.h"
#include "Misc/EngineVersion.h"
#include "Misc/Parse.h"
#include "State.h"

const TCHAR *LexToString(EBuildConfiguration Configuration) {
  static const TCHAR *const Names[] = {TEXT("Unknown"),     TEXT("Debug"),    TEXT("DebugGame"),
                                       TEXT("Development"), TEXT("Shipping"), TEXT("Test")};
  return Names[int32(Configuration)];
}
const TCHAR *LexToString(EBuildTargetType Type) {
  static const TCHAR *const Names[] = {TEXT("Unknown"), TEXT("Game"),   TEXT("Server"),
                                       TEXT("Client"),  TEXT("Editor"), TEXT("Program")};
  return Names[int32(Type)];
}
EBuildConfiguration FApp::GetBuildConfiguration() {
  return UE_BUILD_SHIPPING ? EBuildConfiguration::Shipping
         : UE_BUILD_TEST   ? EBuildConfiguration::Test
         : UE_BUILD_DEBUG  ? EBuildConfiguration::Debug
                           : EBuildConfiguration::Development;
}
EBuildTargetType FApp::GetBuildTargetType() {
  return WITH_EDITOR ? EBuildTargetType::Editor
         : UE_SERVER ? EBuildTargetType::Server
         : UE_CLIENT ? EBuildTargetType::Client
                     : EBuildTargetType::Game;
}
const TCHAR *FApp::GetBuildVersion() { return TEXT("++shim+main-CL-0"); }
const TCHAR *FApp::GetProjectName() { return *unreal_shim::State().ProjectName; }
bool FApp::CanEverRender() {
  return !IsRunningDedicatedServer() && !IsRunningCommandlet() && !FParse::Param(FCommandLine::Get(), TEXT("nullrhi"));
}
double FApp::GetCurrentTime() { return unreal_shim::State().CurrentTime; }
const FEngineVersion &FEngineVersion::Current() {
  static const FEngineVersion The;
  return The;
}
FString FEngineVersion::ToString(EVersionComponent Last) const {
  FString Text = FString::Printf(TEXT("%d.%d.%d"), int32(GetMajor()), int32(GetMinor()), int32(GetPatch()));
  if (Last >= EVersionComponent::Changelist) Text += TEXT("-0");
  if (Last >= EVersionComponent::Branch) Text += TEXT("+") + GetBranch();
  return Text;
}
