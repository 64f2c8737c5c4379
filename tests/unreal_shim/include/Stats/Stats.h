// Named events, and of the stats only what reaches an external profiler.
#pragma once
#include "CoreGlobals.h"
#include "HAL/PlatformMisc.h"

class FScopedNamedEvent {
 public:
  FScopedNamedEvent(const FColor &Color, const TCHAR *Text) { FPlatformMisc::BeginNamedEvent(Color, Text); }
  FScopedNamedEvent(const FColor &Color, const ANSICHAR *Text) { FPlatformMisc::BeginNamedEvent(Color, Text); }
  ~FScopedNamedEvent() { FPlatformMisc::EndNamedEvent(); }
  FScopedNamedEvent(const FScopedNamedEvent &) = delete;
};
class FScopedCycleStatEvent {  // flows in with "stat namedevents" only
 public:
  explicit FScopedCycleStatEvent(const TCHAR *Text) : bOn(GCycleStatsShouldEmitNamedEvents > 0) {
    if (bOn) FPlatformMisc::BeginNamedEvent(FColor(0), Text);
  }
  ~FScopedCycleStatEvent() {
    if (bOn) FPlatformMisc::EndNamedEvent();
  }

 private:
  bool bOn;
};
#if ENABLE_NAMED_EVENTS
#define SCOPED_NAMED_EVENT(Name, Color) FScopedNamedEvent ANONYMOUS_VARIABLE(Event_)(Color, TEXT(#Name))
#define SCOPED_NAMED_EVENT_TEXT(Text, Color) FScopedNamedEvent ANONYMOUS_VARIABLE(Event_)(Color, TEXT(Text))
#define SCOPED_NAMED_EVENT_FSTRING(Text, Color) FScopedNamedEvent ANONYMOUS_VARIABLE(Event_)(Color, *(Text))
#define SCOPED_NAMED_EVENT_F(Format, Color, ...) \
  FScopedNamedEvent ANONYMOUS_VARIABLE(Event_)(Color, *FString::Printf(Format, __VA_ARGS__))
#else
#define SCOPED_NAMED_EVENT(...)
#define SCOPED_NAMED_EVENT_TEXT(...)
#define SCOPED_NAMED_EVENT_FSTRING(...)
#define SCOPED_NAMED_EVENT_F(...)
#endif
#if STATS
#define QUICK_SCOPE_CYCLE_COUNTER(Stat) FScopedCycleStatEvent ANONYMOUS_VARIABLE(Cycle_)(TEXT(#Stat))
#else
#define QUICK_SCOPE_CYCLE_COUNTER(...)
#endif
