/* The test program: runs one scenario, named on the command line. usage: recorder_tests SCENARIO CAPTURE [PLUGIN] */
#include "harness.h"

static void run(const char *name) {
  const scenario *const all[] = {recording_scenarios, life_scenarios,  outbox_scenarios,  site_scenarios,
                                 random_scenarios,    spool_scenarios, control_scenarios, flight_scenarios,
                                 retry_scenarios,     copy_scenarios,  value_scenarios,   pace_scenarios};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    for (const scenario *s = all[i]; s->name; s++) {
      if (strcmp(s->name, name) != 0) continue;
      s->run();
      return;
    }
  }
  fprintf(stderr, "no scenario %s\n", name);
  exit(2);
}

int main(int argc, char **argv) {
  CHECK(argc >= 3);
  capture = fopen(argv[2], "wb");
  CHECK(capture != NULL);
  plugin_path = argc > 3 ? argv[3] : NULL;
  run(argv[1]);
  fclose(capture);
  return 0;
}
