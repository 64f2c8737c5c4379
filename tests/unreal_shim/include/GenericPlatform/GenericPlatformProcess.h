#pragma once
#include "HAL/PlatformProcess.h"
