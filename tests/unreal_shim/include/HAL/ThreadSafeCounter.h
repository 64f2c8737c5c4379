#pragma once
#include "HAL/ThreadSafeBool.h"
