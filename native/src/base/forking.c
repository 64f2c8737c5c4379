#include "forking.h"

#include "entries.h"

static TACHY_THREAD_LOCAL uint32_t forking; /* atomic, for handlers on this thread */

int tachy_own_forking(void) { return TACHY_LOAD(&forking) != 0; }

int tachy_forking_begins(void) {
  TACHY_STORE(&forking, forking + 1);
  return forking == 1;
}

int tachy_forking_is_over(void) {
  if (forking <= 1) return 1;
  TACHY_STORE(&forking, forking - 1);
  return 0;
}

void tachy_forking_ends(void) { TACHY_STORE(&forking, 0); }
