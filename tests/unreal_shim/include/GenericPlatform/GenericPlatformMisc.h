#pragma once
#include "HAL/PlatformMisc.h"
