#pragma once
#include "HAL/Platform.h"

COREUOBJECT_API bool UObjectInitialized();
