// Clock, process, machine and memory, asked from Linux.
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <thread>

#include "CoreMinimal.h"
#include "HAL/PlatformMemory.h"
#include "Misc/App.h"
#include "Misc/FileHelper.h"
#include "Misc/Paths.h"
#include "State.h"

static timespec Now() {
  timespec T;
  clock_gettime(CLOCK_MONOTONIC_RAW, &T);
  return T;
}
double FPlatformTime::Seconds() {
  const timespec T = Now();
  return double(T.tv_sec) + double(T.tv_nsec) * 1e-9 + 16777216.0;  // so that a float of it is visibly wrong
}
uint64 FPlatformTime::Cycles64() {
  const timespec T = Now();
  return uint64(T.tv_sec) * 1000000 + uint64(T.tv_nsec) / 1000;
}
uint32 FPlatformTime::Cycles() { return uint32(Cycles64()); }

static const TCHAR *Keep(const char *Text) {  // for the functions that answer with a pointer
  return **(new FString(Text));
}
uint32 FPlatformProcess::GetCurrentProcessId() { return uint32(getpid()); }
const TCHAR *FPlatformProcess::ComputerName() {
  static const TCHAR *const Name = [] {
    char Buffer[256] = "";
    gethostname(Buffer, sizeof Buffer - 1);
    return Keep(Buffer);
  }();
  return Name;
}
const TCHAR *FPlatformProcess::UserName(bool) {
  static const TCHAR *const Name = Keep(getenv("USER") ? getenv("USER") : "nobody");
  return Name;
}
const TCHAR *FPlatformProcess::ExecutablePath() {
  static const TCHAR *const Path = [] {
    char Buffer[4096];
    const ssize_t N = readlink("/proc/self/exe", Buffer, sizeof Buffer - 1);
    Buffer[N < 0 ? 0 : N] = 0;
    return Keep(Buffer);
  }();
  return Path;
}
const TCHAR *FPlatformProcess::ExecutableName(bool) {
  static const TCHAR *const Name = Keep(TCHAR_TO_UTF8(*FPaths::GetCleanFilename(ExecutablePath())));
  return Name;
}
FString FPlatformProcess::GetCurrentWorkingDirectory() {
  char Buffer[4096];
  return FString(getcwd(Buffer, sizeof Buffer) ? Buffer : "/");
}
static FString FirstLineOf(const char *Path, const char *Key) {
  FILE *File = fopen(Path, "r");
  if (!File) return FString();
  char Line[1024];
  FString Result;
  while (Result.IsEmpty() && fgets(Line, sizeof Line, File)) {
    const FString Text = FString(Line).TrimEnd();
    FString Name, Value;
    if (Text.StartsWith(FString(Key)) && (Text.Split(TEXT(":"), &Name, &Value) || Text.Split(TEXT("="), &Name, &Value)))
      Result = Value.TrimStartAndEnd().TrimQuotes();
  }
  fclose(File);
  return Result;
}
FString FPlatformMisc::GetCPUBrand() { return FirstLineOf("/proc/cpuinfo", "model name"); }
FString FPlatformMisc::GetPrimaryGPUBrand() { return FString(TEXT("Shim GPU")); }
int32 FPlatformMisc::NumberOfCores() { return NumberOfCoresIncludingHyperthreads(); }
int32 FPlatformMisc::NumberOfCoresIncludingHyperthreads() { return int32(std::thread::hardware_concurrency()); }
bool FPlatformMisc::IsDebuggerPresent() {
  return unreal_shim::State().bDebugger || FCString::Atoi(*FirstLineOf("/proc/self/status", "TracerPid")) != 0;
}
FString FPlatformMisc::GetEnvironmentVariable(const TCHAR *Name) {
  const char *Value = getenv(TCHAR_TO_UTF8(Name));
  return Value ? FString(UTF8_TO_TCHAR(Value)) : FString();
}
void FPlatformMisc::SetEnvironmentVar(const TCHAR *Name, const TCHAR *Value) {
  if (*Value)
    setenv(TCHAR_TO_UTF8(Name), TCHAR_TO_UTF8(Value), 1);
  else
    unsetenv(TCHAR_TO_UTF8(Name));
}
const TCHAR *FPlatformMisc::ProjectDir() {
  static FString Path;
  Path = FPaths::ProjectDir();
  return *Path;
}
const TCHAR *FPlatformMisc::EngineDir() { return TEXT("../../../Engine/"); }
void FPlatformMisc::LowLevelOutputDebugString(const TCHAR *Text) { fputs(TCHAR_TO_UTF8(Text), stderr); }

bool FGenericPlatformMemory::bIsOOM = false;
uint64 FGenericPlatformMemory::OOMAllocationSize = 0;
uint32 FGenericPlatformMemory::OOMAllocationAlignment = 0;
const FPlatformMemoryConstants &FPlatformMemory::GetConstants() {
  static const FPlatformMemoryConstants The = [] {
    FPlatformMemoryConstants C;
    C.PageSize = SIZE_T(sysconf(_SC_PAGESIZE));
    C.TotalPhysical = uint64(sysconf(_SC_PHYS_PAGES)) * C.PageSize;
    C.TotalVirtual = C.TotalPhysical;
    C.TotalPhysicalGB = uint32((C.TotalPhysical + (1ull << 30) - 1) >> 30);
    return C;
  }();
  return The;
}
FPlatformMemoryStats FPlatformMemory::GetStats() {
  FPlatformMemoryStats Stats;
  static_cast<FPlatformMemoryConstants &>(Stats) = GetConstants();
  const auto Kilobytes = [](const char *Key) {
    return uint64(FCString::Atoi64(*FirstLineOf("/proc/self/status", Key))) << 10;
  };
  Stats.AvailablePhysical = uint64(sysconf(_SC_AVPHYS_PAGES)) * Stats.PageSize;
  Stats.UsedPhysical = Kilobytes("VmRSS");
  Stats.PeakUsedPhysical = Kilobytes("VmHWM");
  Stats.UsedVirtual = Kilobytes("VmSize");
  Stats.PeakUsedVirtual = Kilobytes("VmPeak");
  return Stats;
}
void FPlatformMemory::OnOutOfMemory(uint64 Size, uint32 Alignment) {
  bIsOOM = true;
  OOMAllocationSize = Size;
  OOMAllocationAlignment = Alignment;
  unreal_shim::CheckFailed("Ran out of memory", __FILE__, __LINE__);
}
