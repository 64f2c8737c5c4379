#pragma once
#include "Async/Async.h"
