#pragma once
#include "CoreGlobals.h"

class UEngine;
extern ENGINE_API UEngine *GEngine;
