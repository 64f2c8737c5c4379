#pragma once
#include "HAL/PlatformMallocCrash.h"
