/* The pool: the memory of all chunks and slots, in the session file where there is one, bounded by one figure.
 *
 * Chunks are taken and given back without a lock. The collector keeps some ready, with storage and touched, so that a
 * recording thread meets no page fault; what a busy minute needed and a quiet one does not goes back to the system. */
#ifndef TACHY_SRC_RECORDER_POOL_POOL_H
#define TACHY_SRC_RECORDER_POOL_POOL_H

#include "../../os/os.h"
#include "slot.h"

#define TACHY_SLOTS_MAX 4096u

/* Bytes of slots and chunks together, for so many bytes of chunks. */
uint64_t tachy_pool_size(uint64_t bytes);
/* Whether the pool is in this file (NULL: in none) and as large. */
int tachy_pool_suits(const tachy_os_file *file, uint64_t bytes);
/* For a session, before it records: a new one, in the file (NULL: in memory of the process's own) of which `mapped` is
 * so much, from `offset` on, and has no storage yet. Threads that have recorded stay with their slots in the memory
 * before. 0: no memory. */
int tachy_pool_open(tachy_os_file *file, uint64_t offset, uint8_t *mapped, uint64_t bytes);

/* A chunk for the calling thread, its header not filled in; NULL: all are in use, or there is no storage. */
tachy_chunk *tachy_pool_take(void);
/* Nobody's again. A chunk of an earlier pool is forgotten. */
void tachy_pool_give(tachy_chunk *chunk);

/* A slot that nobody has had, zeroed; NULL: there are no more, or there is no storage. One thread at a time. */
tachy_slot *tachy_pool_slot(void);
/* Whether a slot lies in the pool, or in none; else it is of an earlier one, and not to be had again. */
int tachy_pool_has_slot(const tachy_slot *slot);
/* Storage for a part of a slot's memory, more than it has from the start. 0: there is none. */
int tachy_pool_back_slot(const tachy_slot *slot, void *memory, uint64_t size);

/* For the collector: keeps chunks ready, as many as were taken since the last call and a few more. quiet: so many
 * seconds have passed since storage was given back. Returns how many were taken. */
uint64_t tachy_pool_tend(uint64_t quiet);
/* It is to be rung when more than so many have been taken from now on, or half of what is free. */
void tachy_pool_ring_after(uint64_t chunks);
/* Whether it was. */
int tachy_pool_is_low(void);
/* Chunks that nobody has, ready or not; and how many there are. */
uint32_t tachy_pool_free(void);
uint32_t tachy_pool_limit(void);

void tachy_pool_after_fork(void);

#endif
