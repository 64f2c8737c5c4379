/* The pool of chunks, and the slots' memory. */
#include "pool.h"

#include <string.h>

#include "../../base/add.h"
#include "../../base/bell.h"

enum { READY_MIN = 8, GIVE_BACK = 8 /* chunks a second */, QUIET_MAX = 16 };

/* A stack of chunk numbers without a lock. */
typedef struct stack {
  uint64_t top;   /* atomic. Lower half: 0: empty, n + 1: number n. Upper half: a count of changes, so that a top that
                     has gone and come back differs from one that never went */
  uint64_t count; /* atomic; a little late */
} stack;

typedef struct pool {
  uint8_t *memory;  /* slots, then chunks */
  stack ready;      /* with storage, touched */
  uint64_t low;     /* atomic: with less that is free the collector is rung, however much of it lies ready: half of what
                       was free at its last pass, or that less a block's worth */
  uint64_t taken;   /* atomic, ever */
  stack bare;       /* without storage */
  uint32_t starved; /* atomic: somebody found nothing, and has rung */
  uint32_t limit;   /* chunks */
  uint32_t slots_made; /* under the caller's lock */
  tachy_os_file *file; /* NULL: none */
  uint64_t offset;     /* of the memory in the file */
  uint64_t seen;       /* the collector's: of them */
  uint64_t wanted;     /* the collector's: chunks to keep ready */
  uint32_t links[];    /* of each chunk: what lies below it in its stack */
} pool;

/* Atomic. What it pointed to before is never freed: a thread may be about to take a chunk there. */
static pool *current;

static tachy_chunk *chunk_at(const pool *p, uint32_t number) {
  TACHY_ASSERT(number < p->limit);
  return (tachy_chunk *)(void *)(p->memory + TACHY_SLOTS_MAX * TACHY_SLOT_BYTES + (uint64_t)number * TACHY_CHUNK_BYTES);
}

static void push(pool *p, stack *s, uint32_t number) {
  for (;;) {
    const uint64_t was = TACHY_LOAD_ACQUIRE(&s->top);
    TACHY_STORE(&p->links[number], (uint32_t)was);
    if (TACHY_COMPARE_EXCHANGE(&s->top, was, ((was >> 32) + 1) << 32 | (number + 1u))) break;
  }
  tachy_add(&s->count, 1);
}

/* 0: empty. */
static TACHY_BESIDE int pop(pool *p, stack *s, uint32_t *number) {
  for (;;) {
    const uint64_t was = TACHY_LOAD_ACQUIRE(&s->top);
    const uint32_t top = (uint32_t)was;
    if (top == 0) return 0;
    const uint32_t below = TACHY_LOAD(&p->links[top - 1u]);
    if (!TACHY_COMPARE_EXCHANGE(&s->top, was, ((was >> 32) + 1) << 32 | below)) continue;
    tachy_add(&s->count, UINT64_MAX);
    *number = top - 1u;
    return 1;
  }
}

uint64_t tachy_pool_size(uint64_t bytes) {
  return TACHY_SLOTS_MAX * TACHY_SLOT_BYTES + bytes / TACHY_CHUNK_BYTES * TACHY_CHUNK_BYTES;
}

int tachy_pool_suits(const tachy_os_file *file, uint64_t bytes) {
  return current && current->file == file && current->limit == bytes / TACHY_CHUNK_BYTES;
}

int tachy_pool_open(tachy_os_file *file, uint64_t offset, uint8_t *mapped, uint64_t bytes) {
  const uint32_t limit = (uint32_t)(bytes / TACHY_CHUNK_BYTES);
  const size_t size = sizeof(pool) + limit * sizeof(uint32_t);
  pool *const p = tachy_os_allocate(size);
  if (!p) return 0;
  memset(p, 0, size);
  p->file = file;
  p->offset = offset;
  p->memory = file ? mapped : (uint8_t *)tachy_os_map(tachy_pool_size(bytes));
  p->limit = limit;
  p->wanted = READY_MIN;
  if (!p->memory) {
    tachy_os_release(p);
    return 0;
  }
  for (uint32_t i = limit; i-- > 0;) push(p, &p->bare, i);
  TACHY_STORE_RELEASE(&current, p);
  return 1;
}

/* Storage, so that nobody meets a page fault there. 0: there is none. */
static int back(const pool *p, void *at, uint64_t size) {
  /* where the file system is full it goes on in memory of the process's own, and that part dies with it */
  if (p->file && !tachy_os_file_back(p->file, p->offset + (uint64_t)((uint8_t *)at - p->memory), size) &&
      !tachy_os_map_over(at, size)) {
    return 0;
  }
  tachy_os_prefault(at, size);
  return 1;
}

/* A chunk without storage gets some. 0: there is none of either. */
static int take_bare(pool *p, uint32_t *number) {
  if (!pop(p, &p->bare, number)) return 0;
  if (back(p, chunk_at(p, *number), TACHY_CHUNK_BYTES)) return 1;
  push(p, &p->bare, *number);
  return 0;
}

/* None is ready. 0: who loses events at full rate asks for every one, so where there is nothing at all this is two
 * loads. */
static int take_unready(pool *p, uint32_t *number) {
  if ((uint32_t)TACHY_LOAD(&p->bare.top)) {
    if (take_bare(p, number)) return 1;
  } else if (TACHY_LOAD(&p->starved)) {
    return 0;
  }
  TACHY_STORE(&p->starved, 1);
  tachy_bell_ring();
  return 0;
}

TACHY_BESIDE tachy_chunk *tachy_pool_take(void) {
  pool *const p = TACHY_LOAD_ACQUIRE(&current);
  uint32_t number;
  if (!p || (TACHY_UNLIKELY(!pop(p, &p->ready, &number)) && !take_unready(p, &number))) return NULL;
  tachy_add(&p->taken, 1);
  const uint64_t ready = TACHY_LOAD(&p->ready.count);
  const uint64_t left = ready + TACHY_LOAD(&p->bare.count);
  if (TACHY_UNLIKELY(ready < READY_MIN / 2 || left < TACHY_LOAD(&p->low))) tachy_bell_ring();
  return chunk_at(p, number);
}

void tachy_pool_give(tachy_chunk *chunk) {
  pool *const p = TACHY_LOAD(&current);
  TACHY_STORE_RELEASE(&chunk->owner, 0);
  if (!p) return;
  const uintptr_t at = (uintptr_t)chunk - (uintptr_t)chunk_at(p, 0);
  if (at < (uint64_t)p->limit * TACHY_CHUNK_BYTES) push(p, &p->ready, (uint32_t)(at / TACHY_CHUNK_BYTES));
}

tachy_slot *tachy_pool_slot(void) {
  pool *const p = TACHY_LOAD(&current);
  if (!p || p->slots_made == TACHY_SLOTS_MAX) return NULL;
  tachy_slot *const slot = (tachy_slot *)(void *)(p->memory + p->slots_made * TACHY_SLOT_BYTES);
  if (!back(p, slot, TACHY_SLOT_BACKED)) return NULL;
  p->slots_made++;
  slot->pool = (uintptr_t)p;
  return slot;
}

int tachy_pool_has_slot(const tachy_slot *slot) { return !slot->pool || slot->pool == (uintptr_t)current; }

int tachy_pool_back_slot(const tachy_slot *slot, void *at, uint64_t size) {
  if (!slot->pool) return 1;
  /* of an earlier pool: its file is closed */
  return tachy_pool_has_slot(slot) ? back(current, at, size) : tachy_os_map_over(at, size);
}

/* Gives the storage of what has not been needed for a while back to the system: a second's share. */
static void shrink(pool *p) {
  uint32_t number;
  if (p->wanted > READY_MIN) p->wanted -= (p->wanted - READY_MIN + 7) / 8;
  for (unsigned i = 0; i < GIVE_BACK && TACHY_LOAD(&p->ready.count) > 2 * p->wanted; i++) {
    if (!pop(p, &p->ready, &number)) return;
    void *const at = chunk_at(p, number);
    const uint64_t where = p->offset + (uint64_t)((uint8_t *)at - p->memory);
    const int done =
        p->file ? tachy_os_file_discard(p->file, where, TACHY_CHUNK_BYTES) : tachy_os_map_over(at, TACHY_CHUNK_BYTES);
    push(p, done ? &p->bare : &p->ready, number);
    if (!done) return;
  }
}

uint64_t tachy_pool_tend(uint64_t quiet) {
  pool *const p = TACHY_LOAD(&current);
  const uint64_t taken = TACHY_LOAD(&p->taken) - p->seen;
  uint32_t number;
  p->seen += taken;
  TACHY_STORE(&p->starved, 0);
  if (taken + READY_MIN > p->wanted) p->wanted = taken + READY_MIN;
  if (p->wanted > p->limit / 4) p->wanted = p->limit / 4;
  while (TACHY_LOAD(&p->ready.count) < p->wanted && take_bare(p, &number)) push(p, &p->ready, number);
  for (uint64_t i = 0; i < quiet && i < QUIET_MAX; i++) shrink(p);
  return taken;
}

void tachy_pool_ring_after(uint64_t chunks) {
  pool *const p = TACHY_LOAD(&current);
  const uint64_t free = tachy_pool_free();
  TACHY_STORE(&p->low, free / 2 + chunks < free ? free - chunks : free / 2);
}

int tachy_pool_is_low(void) {
  const pool *const p = TACHY_LOAD(&current);
  return tachy_pool_free() < TACHY_LOAD(&p->low);
}

uint32_t tachy_pool_free(void) {
  const pool *const p = TACHY_LOAD(&current);
  return (uint32_t)(TACHY_LOAD(&p->ready.count) + TACHY_LOAD(&p->bare.count));
}

uint32_t tachy_pool_limit(void) { return current->limit; }

/* The memory is the parent's: in the file it is not mapped here, and other memory is of no more use. */
void tachy_pool_after_fork(void) { current = NULL; }
