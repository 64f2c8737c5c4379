#pragma once
#include "Containers/UnrealString.h"

struct FRHIGlobals {
  struct FGpuInfo {
    FString AdapterName, AdapterUserDriverVersion, AdapterInternalDriverVersion, AdapterDriverDate;
    uint32 VendorId = 0, DeviceId = 0;
  };
  FGpuInfo GpuInfo;
  bool UsingNullRHI = false;
};
extern RHI_API FRHIGlobals GRHIGlobals;
#define GRHIAdapterName GRHIGlobals.GpuInfo.AdapterName
#define GRHIAdapterUserDriverVersion GRHIGlobals.GpuInfo.AdapterUserDriverVersion
#define GRHIAdapterInternalDriverVersion GRHIGlobals.GpuInfo.AdapterInternalDriverVersion
#define GRHIAdapterDriverDate GRHIGlobals.GpuInfo.AdapterDriverDate
#define GUsingNullRHI GRHIGlobals.UsingNullRHI
