// A module that comes and goes while others record: LEVEL_NAME, a literal, is what it records under.
#include "Modules/ModuleManager.h"
#include "Tachy.h"

namespace {

class Level : public IModuleInterface {
 public:
  void StartupModule() override {
    for (int i = 0; i < 50; i++) {
      TACHY_SPAN_SCOPE("Level", LEVEL_NAME);
      TACHY_IMETRIC("Level", Tachy::Min, LEVEL_NAME, "1", i);
    }
    TACHY_LOG("Level", Tachy::Info, LEVEL_NAME);
  }
};

}  // namespace

IMPLEMENT_MODULE(Level, LEVEL_MODULE)
