// Async spans over threads, with parents; values and flows on both kinds of spans.
#include "Async/Async.h"

#include <functional>
#include <thread>

#include "Scene.h"
#include "Tachy.h"

namespace {

enum class Kind : int8 { Small = -3 };

void Load(int number) {
  Tachy::FAsyncSpan load = TACHY_ASYNC("Game.Assets", "Load");
  TACHY_ASYNC_VALUE(load, "path", FString::Printf(TEXT("/Game/Größe%d"), number));
  TACHY_ASYNC_FLOW(load, 100 + number);
  Tachy::FAsyncHandle read = TACHY_ASYNC_BEGIN(TEXT("Game.Assets"), TEXT("Read"), load);
  // A copy in a lambda that can be copied, as a delegate's is.
  const std::function<void()> done = [copy = read]() mutable {
    TACHY_ASYNC_VALUE(copy, "bytes", 4096u);
    copy.End();
    copy.End();
    TACHY_ASYNC_VALUE(copy, "late", 1);
  };
  std::thread(done).join();
  // Moved to where it ends.
  std::thread([load = MoveTemp(load), read]() mutable {
    Tachy::FAsyncSpan decode = TACHY_ASYNC_NAME("Game.Assets", FName(TEXT("Decode")), read);  // the parent has ended
    Tachy::FAsyncSpan moved = TACHY_ASYNC("Game.Assets", "Moved", decode);
    moved = MoveTemp(decode);
    TACHY_ASYNC_VALUE(moved, "name", FName(TEXT("Mesh"), 8));
    load.End();
    TACHY_ASYNC_VALUE(load, "late", 1);
  }).join();
}

void Values() {
  TACHY_SPAN_SCOPE("Game.Values", "Outer");
  {
    TACHY_SPAN_SCOPE("Game.Values", "Inner");
    TACHY_SPAN_VALUE("least", int64(INT64_MIN));
    TACHY_SPAN_VALUE("most", uint64(UINT64_MAX));
    TACHY_SPAN_VALUE("enumeration", Kind::Small);
    TACHY_SPAN_VALUE("bool", true);
    TACHY_SPAN_VALUE("float", 0.25f);
    TACHY_SPAN_VALUE("again", 1);
    TACHY_SPAN_VALUE("again", 2);
    TACHY_SPAN_VALUE("string", FString(TEXT("größer")));
    TACHY_SPAN_VALUE(TEXT("text"), TEXT("\U0001F600"));
    TACHY_SPAN_VALUE("ansi", "plain");
    TACHY_SPAN_VALUE("name", FName(TEXT("Door"), 4));
    TACHY_SPAN_VALUE("long", FString::ChrN(3000, TEXT('x')));
    TACHY_FLOW(7);
  }
  TACHY_SPAN_VALUE("after", 1.5);
}

}  // namespace

SHIM_SCENE(Async) {
  for (int i = 0; i < 5; i++) Load(i);
  Values();
  Tachy::FAsyncSpan never;
  report.Set("empty", double(never.Id()));
}
