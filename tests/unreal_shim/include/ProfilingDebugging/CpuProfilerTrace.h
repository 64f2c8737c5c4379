// Trace is not there: its macros do nothing.
#pragma once
#include "CoreTypes.h"
#define TRACE_CPUPROFILER_EVENT_SCOPE(Name)
#define TRACE_CPUPROFILER_EVENT_SCOPE_STR(Name)
#define TRACE_CPUPROFILER_EVENT_SCOPE_TEXT(Name)
#define TRACE_BOOKMARK(...)
