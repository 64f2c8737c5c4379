#pragma once
#include "UObject/Object.h"

class COREUOBJECT_API FUObjectArray {
 public:
  int32 GetObjectArrayNumMinusAvailable() const;
};
extern COREUOBJECT_API FUObjectArray GUObjectArray;
