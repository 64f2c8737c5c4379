// The game's module: it knows the scenes of the other files.
#include <stdio.h>
#include <string.h>

#include "Misc/CommandLine.h"
#include "Misc/FileHelper.h"
#include "Misc/Parse.h"
#include "Modules/ModuleManager.h"
#include "Scene.h"
#include "Tachy.h"

namespace {

const Scene *scenes;

class ShimGame : public IShimGame {
 public:
  bool Play(const char *name) override {
    for (const Scene *scene = scenes; scene; scene = scene->next) {
      if (strcmp(scene->name, name) != 0) continue;
      Report report;
      scene->play(report);
      report.Print();
      return true;
    }
    return false;
  }

  // The session has ended by now. -Report=FILE: what became of what was recorded.
  void ShutdownModule() override {
    FString file;
    if (!FParse::Value(FCommandLine::Get(), TEXT("Report="), file)) return;
    tachy_stats stats;
    tachy_get_stats(&stats);
    const auto of = [](const uint64_t(&counts)[4]) {
      return FString::Printf(TEXT("{\"log\": %llu, \"metric\": %llu, \"span\": %llu}"), static_cast<uint64>(counts[1]),
                             static_cast<uint64>(counts[2]), static_cast<uint64>(counts[3]));
    };
    const FString text = FString::Printf(
        TEXT("{\"process_id\": \"%s\", \"recorded\": %s, \"dropped\": %s, \"wire_bytes\": %llu}\n"),
        *Tachy::ProcessId(), *of(stats.recorded), *of(stats.dropped), static_cast<uint64>(stats.wire_bytes));
    FFileHelper::SaveStringToFile(text, *file);
  }
};

std::string Quoted(const std::string &text) {
  std::string quoted = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') quoted += '\\';
    quoted += byte == '\n' ? ' ' : byte;
  }
  return quoted + '"';
}

}  // namespace

Scene::Scene(const char *scene_name, Function function) : name(scene_name), play(function), next(scenes) {
  scenes = this;
}

void Report::Set(const char *name, double number) {
  char text[32];
  snprintf(text, sizeof text, "%.17g", number);
  members_ += ", " + Quoted(name) + ": " + text;
}

void Report::Set(const char *name, const FString &text) {
  members_ += ", " + Quoted(name) + ": " + Quoted(TCHAR_TO_UTF8(*text));
}

void Report::Print() {
  printf("{\"process_id\": \"%s\"%s}\n", TCHAR_TO_UTF8(*Tachy::ProcessId()), members_.c_str());
  fflush(stdout);
}

IMPLEMENT_MODULE(ShimGame, ShimGame)
