#pragma once
#include "Engine/Engine.h"
