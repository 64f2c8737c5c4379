#pragma once
#include "Runtime/Launch/Resources/Version.h"
#define UE_GREATER_SORT(Value, Required, Tie) (((Value) > (Required)) || (((Value) == (Required)) && (Tie)))
#define UE_VERSION_OLDER_THAN(Major, Minor, Patch) (!UE_VERSION_NEWER_THAN_OR_EQUAL(Major, Minor, Patch))
#define UE_VERSION_NEWER_THAN_OR_EQUAL(Major, Minor, Patch) \
  UE_GREATER_SORT(ENGINE_MAJOR_VERSION, Major,              \
                  UE_GREATER_SORT(ENGINE_MINOR_VERSION, Minor, UE_GREATER_SORT(ENGINE_PATCH_VERSION, Patch, true)))
