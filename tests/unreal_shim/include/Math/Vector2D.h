#pragma once
#include "Math/Vector.h"
