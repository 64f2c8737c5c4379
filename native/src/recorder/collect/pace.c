/* When the collector wakes and cuts. */
#include "pace.h"

#include "../pool/pool.h"
#include "../pool/session_file.h"
#include "../threads/threads.h"
#include "control.h"

#define MS UINT64_C(1000000)
#define YOUNG_NS (60000 * MS) /* somebody may be looking at what a program does just after its start */
#define SOON_NS (1000 * MS)
#define LATER_NS (10000 * MS)
#define APART_NS (250 * MS) /* between two cuts of a class: who records a lot sends larger blocks, not more of them */
#define FLIGHT_NS (50 * MS) /* between two passes of a flight recorder, whose triggers are to be seen */

enum { ENDED_SLOTS = 1024 };

void tachy_pace_start(tachy_pace *p, uint32_t flush_ms, uint64_t block_bytes) {
  *p = (tachy_pace){.flush_ns = flush_ms * MS, .block_bytes = block_bytes, .started = tachy_os_monotonic()};
  p->due_from = p->looked = p->started;
}

/* What would die with the process does not wait longer than a second, nor what somebody looks at. */
static uint64_t interval(const tachy_pace *p, uint64_t now) {
  const uint64_t configured = p->flush_ns                     ? p->flush_ns
                              : now - p->started < YOUNG_NS   ? SOON_NS
                              : tachy_session_file_protects() ? LATER_NS
                                                              : SOON_NS;
  return configured > SOON_NS && tachy_control_is_watched() ? SOON_NS : configured;
}

uint64_t tachy_pace_due(const tachy_pace *p, uint64_t now) { return p->due_from + interval(p, now); }

/* Worth sending, sooner or later than now. */
static unsigned wanted(const tachy_pace *p, const tachy_collection *c) {
  unsigned classes = p->urgent ? 1u << TACHY_CLASS_LOG : 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (cls == TACHY_CLASS_SPAN && c->flight.on) continue; /* it ships by itself */
    if (c->intakes[cls].channel.bytes >= p->block_bytes) classes |= 1u << cls;
  }
  return classes;
}

static unsigned cut_lately(const tachy_pace *p, uint64_t now) {
  unsigned classes = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (now - p->cut_at[cls] < APART_NS) classes |= 1u << cls;
  }
  return classes;
}

uint64_t tachy_pace_wake(const tachy_pace *p, const tachy_collection *c, uint64_t now) {
  const unsigned waiting = wanted(p, c);
  uint64_t until = tachy_pace_due(p, now);
  const uint64_t control = tachy_control_ends();
  if (control && control < until) until = control;
  if (c->flight.on && now + FLIGHT_NS < until) until = now + FLIGHT_NS;
  if (p->busy && p->took_at + APART_NS < until) until = p->took_at + APART_NS;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (waiting >> cls & 1u && p->cut_at[cls] + APART_NS < until) until = p->cut_at[cls] + APART_NS;
  }
  return until;
}

static uint64_t block_chunks(const tachy_pace *p) {
  return (p->block_bytes + TACHY_CHUNK_BYTES - 1) / TACHY_CHUNK_BYTES;
}

uint64_t tachy_pace_worth(const tachy_pace *p, const tachy_collection *c) {
  const uint64_t block = block_chunks(p);
  const uint64_t many = tachy_pool_limit() / 16;
  if (p->busy && many > block) return many; /* a pass costs some 50 us however little there is */
  uint64_t most = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (c->intakes[cls].channel.bytes > most) most = c->intakes[cls].channel.bytes;
  }
  const uint64_t rest = most < p->block_bytes ? (p->block_bytes - most + TACHY_CHUNK_BYTES - 1) / TACHY_CHUNK_BYTES : 0;
  return rest > block / 4 ? rest : block / 4;
}

void tachy_pace_took(tachy_pace *p, uint64_t chunks, uint64_t now) {
  p->busy = chunks >= block_chunks(p) && now - p->took_at < 2 * APART_NS;
  p->took_at = now;
}

unsigned tachy_pace_full(const tachy_pace *p, const tachy_collection *c, uint64_t now) {
  const uint64_t limit = tachy_pool_limit();
  const int scarce = tachy_pool_free() < limit / 8;
  unsigned classes = wanted(p, c) & ~cut_lately(p, now);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    const uint64_t waiting = c->intakes[cls].waiting_count;
    if (waiting > limit / 4 || (scarce && waiting)) classes |= 1u << cls; /* nobody is to find the pool empty */
  }
  return tachy_slots_ended() >= ENDED_SLOTS ? (unsigned)TACHY_ALL_CLASSES : classes;
}

void tachy_pace_cut(tachy_pace *p, unsigned classes, int all, uint64_t now) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (classes >> cls & 1u) p->cut_at[cls] = now;
  }
  if (all && classes >> TACHY_CLASS_LOG & 1u) p->urgent = 0;
}

int tachy_pace_skip(tachy_pace *p, const tachy_collection *c, uint64_t now) {
  if (now - p->looked >= LATER_NS || c->flight.on || tachy_collection_has_news(c)) {
    p->looked = now;
    return 0;
  }
  p->due_from = now;
  return 1;
}
