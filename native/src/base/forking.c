#include "forking.h"

#include "entries.h"

TACHY_THREAD_LOCAL uint32_t tachy_forking_depth;

int tachy_own_forking(void) { return tachy_is_forking(); }

int tachy_forking_begins(void) {
  TACHY_STORE(&tachy_forking_depth, tachy_forking_depth + 1);
  return tachy_forking_depth == 1;
}

int tachy_forking_is_over(void) {
  if (tachy_forking_depth <= 1) return 1;
  TACHY_STORE(&tachy_forking_depth, tachy_forking_depth - 1);
  return 0;
}

void tachy_forking_ends(void) { TACHY_STORE(&tachy_forking_depth, 0); }
