/* How much of batches may be written to storage in any five minutes. */
#include "write_budget.h"

#include <string.h>

#include "../../os/os.h"

/* Any five minutes lie in 31 periods of ten seconds. */
enum { PERIODS = 31 };
static const uint64_t PERIOD_NS = UINT64_C(10000000000);

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static uint64_t limit;
static uint64_t newest; /* the period that was asked in last */
static uint64_t written[PERIODS];

void tachy_write_budget_set(uint64_t bytes) {
  tachy_os_lock(&mutex);
  limit = bytes;
  tachy_os_unlock(&mutex);
}

/* Forgets what is no longer within the last five minutes. */
static void move_on(void) {
  const uint64_t now = tachy_os_monotonic() / PERIOD_NS;
  if (now >= newest + PERIODS) {
    memset(written, 0, sizeof written);
    newest = now;
  }
  while (newest < now) written[++newest % PERIODS] = 0;
}

int tachy_write_budget_take(uint64_t bytes) {
  tachy_os_lock(&mutex);
  move_on();
  uint64_t sum = 0;
  for (unsigned i = 0; i < PERIODS; i++) sum += written[i];
  const int fits = limit == 0 || (bytes <= limit && sum <= limit - bytes);
  if (fits) written[newest % PERIODS] += bytes;
  tachy_os_unlock(&mutex);
  return fits;
}

void tachy_write_budget_after_fork(void) { tachy_os_mutex_init(&mutex); }
