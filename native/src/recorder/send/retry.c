/* What an answer means for a batch, and when to try again: the same for every sender. */
#include <tachy/tachy.h>

#include "../../os/os.h"

enum { FIRST_MS = 250, LONGEST_MS = 30000 };
static const double RETRY_AFTER_MAX_S = 300.0;

/* With these the server says that it has read the batch and that the batch itself is bad. */
static const uint16_t refusals[] = {400, 409, 411, 413, 415, 422};

static tachy_outcome outcome_of(uint32_t status) {
  if (status >= 200 && status < 300) return TACHY_SENT;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    if (status == refusals[i]) return TACHY_REFUSED;
  }
  return TACHY_RETRY;
}

/* Half of it is random, so that many programs do not come back together. */
static uint32_t with_jitter(tachy_retry *retry, uint32_t pause_ms) {
  if (retry->random == 0) {
    if (!tachy_os_random(&retry->random, sizeof retry->random)) retry->random = tachy_os_monotonic();
    retry->random |= 1;
  }
  retry->random = retry->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return pause_ms / 2 + (uint32_t)((retry->random >> 33) % (pause_ms - pause_ms / 2 + 1));
}

tachy_outcome tachy_retry_answer(tachy_retry *retry, uint32_t status, double retry_after_s, uint32_t *pause_ms) {
  const tachy_outcome outcome = outcome_of(status);
  *pause_ms = 0;
  if (outcome != TACHY_RETRY) {
    retry->pause_ms = 0;
    return outcome;
  }
  const uint32_t longest = retry->longest_ms ? retry->longest_ms : LONGEST_MS;
  uint64_t next = retry->pause_ms * UINT64_C(2);
  if (next == 0) next = retry->first_ms ? retry->first_ms : FIRST_MS;
  retry->pause_ms = next < longest ? (uint32_t)next : longest;
  *pause_ms = with_jitter(retry, retry->pause_ms);
  if (!(retry_after_s > 0.0)) return outcome; /* a NaN too */
  const double asked = retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S;
  const uint32_t asked_ms = (uint32_t)(asked * 1000.0);
  if (asked_ms > *pause_ms) *pause_ms = asked_ms;
  return outcome;
}
