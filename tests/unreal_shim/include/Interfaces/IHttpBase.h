#pragma once
#include "Containers/UnrealString.h"
#include "Templates/SharedPointer.h"

class IHttpBase {
 public:
  virtual ~IHttpBase() = default;
#if UE_SHIM_VERSION >= 504
  virtual const FString &GetURL() const = 0;
#else
  virtual FString GetURL() const = 0;
#endif
  virtual FString GetHeader(const FString &Name) const = 0;
  virtual const TArray<uint8> &GetContent() const = 0;
};
