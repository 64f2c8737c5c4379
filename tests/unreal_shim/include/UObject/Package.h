#pragma once
#include "UObject/UObjectGlobals.h"
