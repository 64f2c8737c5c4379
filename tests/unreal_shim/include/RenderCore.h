#pragma once
#include "RenderTimer.h"
