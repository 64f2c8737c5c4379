#pragma once
#include "Misc/DateTime.h"
