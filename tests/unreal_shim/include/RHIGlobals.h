#pragma once
#include "Containers/UnrealString.h"

struct FRHIGlobals {
  struct FGpuInfo {
    FString AdapterName, AdapterUserDriverVersion;
  };
  FGpuInfo GpuInfo;
  bool UsingNullRHI = false;
};
extern RHI_API FRHIGlobals GRHIGlobals;
#define GRHIAdapterUserDriverVersion GRHIGlobals.GpuInfo.AdapterUserDriverVersion
#define GUsingNullRHI GRHIGlobals.UsingNullRHI
