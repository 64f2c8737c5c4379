#pragma once
#include "Interfaces/IHttpBase.h"

class IHttpResponse : public IHttpBase {
 public:
  virtual int32 GetResponseCode() const = 0;
  virtual FString GetContentAsString() const = 0;
};
