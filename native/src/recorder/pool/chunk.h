/* Chunks: what recording threads write into. One lies ready in every thread's slot for each class, small; all others
 * are 64 KiB and come from the pool.
 *
 * A chunk is nobody's; or a thread fills it with records of one class; or it is full and waits for the collector; or it
 * has been read and waits until the cut that holds its events has been committed. Then it is nobody's again. It says
 * who filled it, from which position of the thread's stream on, what had been lost before, and which spans were open
 * when it began: so it can be read alone, by the collector or, in the file of a process that is gone, by a recovery. */
#ifndef TACHY_SRC_RECORDER_POOL_CHUNK_H
#define TACHY_SRC_RECORDER_POOL_CHUNK_H

#include <tachy/tachy.h>

#include "../../base/assert.h"

#define TACHY_NO_DEPTH UINT32_MAX
#define TACHY_CHUNK_BYTES 65536u

typedef struct tachy_chunk {
  uint64_t owner;      /* atomic: thread number << 8 | class; 0: nobody's */
  uint64_t first;      /* position of its first record in the thread's stream of the class */
  uint64_t used;       /* atomic: bytes of records; 0 until the thread takes the next one */
  uint64_t lost;       /* all events of the class that the thread had lost when it took the chunk */
  uint64_t ticks;      /* when it took it */
  uint32_t lost_depth; /* the shallowest span of those lost since the chunk before; TACHY_NO_DEPTH: none */
  uint32_t depth;      /* spans that were open: tachy_open_span[depth] stand before the records */
  uint64_t size;       /* room for records, bytes */
  uint64_t next;    /* atomic, in this process only: the address of the chunk that the thread took next, or one of the
                       two below */
  uint64_t read;    /* atomic: bytes that the collector has read; says something of a chunk that is not full, whose
                       thread's slot lies elsewhere */
  uint64_t waiting; /* the collector's: address of the next one that it has read, too */
} tachy_chunk;

#define TACHY_CHUNK_LAST 0u     /* the thread fills it, or has found none after it */
#define TACHY_CHUNK_RETURNED 1u /* it is full and in a batch, and the thread may begin it anew */

_Static_assert(sizeof(tachy_chunk) == 80, "session file");

static inline tachy_chunk *tachy_chunk_at(uint64_t address) { return (tachy_chunk *)(uintptr_t)address; }

static inline uint64_t tachy_chunk_owner(uint64_t thread, tachy_class cls) { return thread << 8 | (uint64_t)cls; }

static inline const tachy_open_span *tachy_chunk_stack(const tachy_chunk *chunk) {
  return (const tachy_open_span *)(const void *)(chunk + 1);
}

static inline uint8_t *tachy_chunk_records(tachy_chunk *chunk) {
  return (uint8_t *)(chunk + 1) + (uint64_t)chunk->depth * sizeof(tachy_open_span);
}

/* The most that one record may take: what a chunk holds of a class without a stack. */
#define TACHY_RECORD_MAX (TACHY_CHUNK_BYTES - sizeof(tachy_chunk))

#endif
