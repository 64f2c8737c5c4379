#pragma once
#include "HAL/RunnableThread.h"
