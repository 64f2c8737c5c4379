#pragma once
#include "Math/UnrealMathUtility.h"
