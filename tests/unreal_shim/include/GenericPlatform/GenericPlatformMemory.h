#pragma once
#include "HAL/PlatformMemory.h"
