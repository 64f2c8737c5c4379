// What the Blueprint nodes do, called as the virtual machine calls them.
#include <thread>

#include "Scene.h"
#include "Tachy.h"
#include "TachyBlueprintLibrary.h"
#include "unreal_shim/Loop.h"

using Library = UTachyBlueprintLibrary;

namespace {

void Spans() {
  TACHY_SPAN_SCOPE("Game", "Native");
  const FTachySpan outer = Library::BeginSpan(TEXT("Game.Bp"), TEXT("Outer"));
  const FTachySpan inner = Library::BeginSpan(TEXT("Game.Bp"), TEXT("Inner"));
  Library::SetSpanNumber(outer, TEXT("enemies"), 12.5);
  Library::SetSpanText(inner, TEXT("boss"), TEXT("größer"));
  Library::EndSpan(inner);
  Library::EndSpan(inner);                                                    // has ended: nothing
  Library::SetSpanText(inner, TEXT("late"), TEXT("x"));                       // nothing
  std::thread([&] { Library::EndSpan(outer); }).join();                       // not its thread: nothing
  const FTachySpan next = Library::BeginSpan(TEXT("Game.Bp"), TEXT("Next"));  // lies where Inner lay
  Library::EndSpan(inner);
  Library::SetSpanNumber(next, TEXT("open"), 1);
  Library::EndSpan(outer);  // and with it Next
  Library::EndSpan(FTachySpan());
}

// Forgotten: ends with the span around it, and its late end hits nobody else.
void Forgotten() {
  FTachySpan forgotten;
  {
    TACHY_SPAN_SCOPE("Game", "Around");
    forgotten = Library::BeginSpan(TEXT("Game.Bp"), TEXT("Forgotten"));
  }
  TACHY_SPAN_SCOPE("Game", "A");
  TACHY_SPAN_SCOPE("Game", "B");
  Library::EndSpan(forgotten);
  TACHY_SPAN_VALUE("open", true);
}

}  // namespace

SHIM_SCENE(Blueprint) {
  report.Set("same", Library::GetProcessId() == Tachy::ProcessId());
  report.Set("context", Library::SetContext(TEXT("map"), TEXT("Arena")));
  for (int i = 0; i < 10; i++) {
    Library::Log(TEXT("Game.Bp"), ETachyLevel::Warning, FString::Printf(TEXT("größer %d"), i));
    Library::LogWithProperties(TEXT("Game.Bp"), ETachyLevel::Info, {{TEXT("boss"), TEXT("Ogre")}}, TEXT("own"));
    Library::Metric(TEXT("Game.Bp"), TEXT("Health"), TEXT("percent"), 0.5 * i);
    Library::IntMetric(TEXT("Game.Bp"), TEXT("Foes"), TEXT("1"), i);
    Library::MetricWithProperties(TEXT("Game.Bp"), TEXT("Speed"), TEXT("m/s"), {{TEXT("boss"), TEXT("Ogre")}}, 2);
    Spans();
  }
  Forgotten();
  FTachyAsyncSpan quest = Library::BeginAsyncSpan(TEXT("Game.Bp"), TEXT("Quest"));
  const FTachyAsyncSpan copy = quest;
  unreal_shim::Tick();
  const FTachyAsyncSpan part = Library::BeginChildAsyncSpan(quest, TEXT("Game.Bp"), TEXT("Part"));
  Library::SetAsyncSpanNumber(copy, TEXT("gold"), 30);
  Library::SetAsyncSpanText(copy, TEXT("giver"), TEXT("größer"));
  unreal_shim::Tick();
  Library::EndAsyncSpan(quest);
  Library::EndAsyncSpan(copy);                         // nothing
  Library::SetAsyncSpanNumber(copy, TEXT("late"), 1);  // nothing
  Library::EndAsyncSpan(Library::BeginChildAsyncSpan(part, TEXT("Game.Bp"), TEXT("PartOfPart")));
  Library::EndAsyncSpan(part);
  Library::EndAsyncSpan(FTachyAsyncSpan());
  int given = 0;  // until there is no room: the plugin has properties of its own there
  while (given < 40 && Library::SetContext(FString::Printf(TEXT("k%d"), given), TEXT("v"))) given++;
  report.Set("full", given < 32);
  report.Set("changed", Library::SetContext(TEXT("map"), TEXT("Hall")));
  report.Set("properties", Library::GetContext().Num());
  unreal_shim::Exec(TEXT("tachy.Context"));
  Library::ClearContext();
  Library::Log(TEXT("Game.Bp"), ETachyLevel::Error, TEXT("cleared"));
  Library::Mark(TEXT("boss fight"));
  report.Set("flushed", Library::Flush(20.0f));
}
