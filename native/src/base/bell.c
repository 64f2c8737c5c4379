/* What wakes the collector. */
#include "bell.h"

#include <tachy/compiler.h>

#include "../os/os.h"

static tachy_os_bell bell;
static uint32_t rung;  /* atomic */
static uint32_t urged; /* atomic */

void tachy_bell_init(void) {
  tachy_os_bell_init(&bell);
  TACHY_STORE(&rung, 0);
  TACHY_STORE(&urged, 0);
}

/* Also while the collector is awake: it may have looked at this thread already. Sequentially consistent, so that either
 * the collector sees what was published before, or we see that it must be rung again. */
void tachy_bell_ring(void) {
  if (TACHY_EXCHANGE(&rung, 1) == 0) tachy_os_ring(&bell);
}

void tachy_bell_urge(void) {
  if (TACHY_LOAD(&urged) || TACHY_EXCHANGE(&urged, 1)) return;
  tachy_bell_ring();
}

int tachy_bell_wait(uint64_t deadline) {
  tachy_os_wait_bell(&bell, deadline);
  return TACHY_EXCHANGE(&rung, 0) != 0;
}

int tachy_bell_urged(void) { return TACHY_EXCHANGE(&urged, 0) != 0; }
