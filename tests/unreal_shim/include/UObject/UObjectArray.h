#pragma once
#include "UObject/Object.h"

class COREUOBJECT_API FUObjectArray {
 public:
  int32 GetObjectArrayNum() const;
  int32 GetObjectArrayNumMinusAvailable() const;
  int32 GetObjectArrayNumMinusPermanent() const { return GetObjectArrayNum(); }
};
extern COREUOBJECT_API FUObjectArray GUObjectArray;
