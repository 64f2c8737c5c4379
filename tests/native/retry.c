/* Scenario: which answers drop a batch, and how long a sender pauses. */
#include "harness.h"

static tachy_outcome answer(tachy_retry *retry, uint32_t status, double retry_after_s, uint32_t *pause_ms) {
  *pause_ms = 12345;
  return tachy_retry_answer(retry, status, retry_after_s, pause_ms);
}

static int is_refusal(uint32_t status) {
  return status == 400 || status == 409 || status == 411 || status == 413 || status == 415 || status == 422;
}

static void outcomes(void) {
  for (uint32_t status = 0; status < 1100; status++) {
    tachy_retry retry = {.first_ms = 0};
    uint32_t pause;
    const tachy_outcome outcome = answer(&retry, status, 0, &pause);
    const int sent = status >= 200 && status < 300;
    CHECK(outcome == (sent ? TACHY_SENT : is_refusal(status) ? TACHY_REFUSED : TACHY_RETRY));
    CHECK((outcome == TACHY_RETRY) == (pause > 0));
    CHECK(outcome != TACHY_RETRY || (pause >= 125 && pause <= 250));
  }
}

/* So many pauses after failures; the first whole one and the longest. */
static void check_pauses(uint32_t first_ms, uint32_t longest_ms, uint32_t whole, uint32_t longest) {
  tachy_retry retry = {.first_ms = first_ms, .longest_ms = longest_ms};
  uint32_t pause;
  for (int round = 0; round < 2; round++) {
    uint32_t expected = whole < longest ? whole : longest;
    int differs = 0; /* from the whole pause */
    for (int i = 0; i < 40; i++) {
      CHECK(answer(&retry, 503, 0, &pause) == TACHY_RETRY);
      CHECK(pause >= expected / 2 && pause <= expected);
      differs += pause != expected;
      expected = expected < longest / 2 ? expected * 2 : longest;
    }
    CHECK(differs > 20 || longest < 100);
    /* a success, and a refusal, begin anew */
    CHECK(answer(&retry, round ? 200 : 400, 0, &pause) != TACHY_RETRY);
  }
}

static void pauses(void) {
  check_pauses(0, 0, 250, 30000);
  check_pauses(20, 200, 20, 200);
  check_pauses(1, 1, 1, 1);
  check_pauses(500, 100, 100, 100);
  check_pauses(UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX);
  check_pauses(1u << 31, UINT32_MAX, 1u << 31, UINT32_MAX);
  /* programs that fail at once do not come back at once */
  uint32_t seen[64];
  int equal = 0;
  for (int i = 0; i < 64; i++) {
    tachy_retry retry = {.first_ms = 1u << 30, .longest_ms = 1u << 30};
    answer(&retry, 0, 0, &seen[i]);
    for (int j = 0; j < i; j++) equal += seen[i] == seen[j];
  }
  CHECK(equal < 8);
}

static void asked(void) {
  static const struct {
    double seconds;
    uint32_t least;
    uint32_t most;
  } cases[] = {{0, 125, 250},
               {-3, 125, 250},
               {0.001, 125, 250},
               {2.5, 2500, 2500},
               {300, 300000, 300000},
               {1e9, 300000, 300000},
               {1e300 * 1e300, 300000, 300000},
               {-1e300 * 1e300, 125, 250}};
  uint32_t pause;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tachy_retry retry = {.first_ms = 0};
    CHECK(answer(&retry, 429, cases[i].seconds, &pause) == TACHY_RETRY);
    CHECK(pause >= cases[i].least && pause <= cases[i].most);
    CHECK(answer(&retry, 422, cases[i].seconds, &pause) == TACHY_REFUSED && pause == 0);
    CHECK(answer(&retry, 200, cases[i].seconds, &pause) == TACHY_SENT && pause == 0);
  }
  tachy_retry retry = {.first_ms = 0};
  const double infinite = 1e300 * 1e300;
  CHECK(answer(&retry, 503, infinite - infinite, &pause) == TACHY_RETRY);
  CHECK(pause >= 125 && pause <= 250);
}

static void retries(void) {
  outcomes();
  pauses();
  asked();
}

const scenario retry_scenarios[] = {{"retries", retries}, {NULL, NULL}};
