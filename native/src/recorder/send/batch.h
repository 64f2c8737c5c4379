/* A batch: blocks with the description of their process, in memory, in a file, or in both. */
#ifndef TACHY_SRC_RECORDER_SEND_BATCH_H
#define TACHY_SRC_RECORDER_SEND_BATCH_H

#include "../../encode/block.h"

/* A claim: the batches of one dead process, which this one sends. */
typedef struct tachy_claim {
  uint64_t batches; /* files that are neither sent nor dropped; the outbox's lock guards this and what follows */
  int closed;       /* no more will be added */
  int awaited;      /* tachy_stop waits for its batches: the process that left them was a child */
  /* Called once, outside every lock, by whichever thread did away with the last batch of a closed claim. Not called
   * for a claim of which the outbox leaves a file to a later start. */
  void (*resolved)(struct tachy_claim *claim);
  struct tachy_claim *next_resolved; /* the outbox's */
} tachy_claim;

/* The lists of the queue. */
enum { TACHY_CLAIMED, TACHY_OURS, TACHY_LISTS };

/* Guarded by the outbox's lock. While a batch is taken, everything but the links, the ordinal, the session, the list
 * and the path belongs to whoever took it. */
struct tachy_batch {
  struct tachy_batch *next;
  struct tachy_batch *before;
  int64_t utc;      /* when it was made */
  uint64_t ordinal; /* in the session, from 1; claimed: 0 */
  uint64_t session; /* claimed: the period between two closes of the outbox */
  int list;
  char *path;         /* of its file, or of the one that it may get; NULL: none */
  tachy_claim *claim; /* NULL: ours */
  int taken;
  int last;    /* of its session: goes even without blocks */
  int loaded;  /* id, process id, description and blocks are in memory */
  int offered; /* somebody could compress the blocks */
  int sealed;  /* it may have travelled: its bytes must not change under this id */
  int changed; /* its file has not the present form of the blocks */
  int damaged; /* claimed: it is counted as such */
  uint8_t id[16];
  uint8_t process_id[16];
  tachy_bytes description;
  tachy_block *blocks; /* as they will lie */
  uint32_t block_count;
  unsigned classes; /* a bit for each that may be in it */
  uint64_t events[TACHY_CLASSES];
  tachy_bytes bytes;         /* as it travels, once somebody asked */
  uint64_t file_size;        /* 0: it has no file */
  uint64_t memory_accounted; /* what the queue has counted for it */
  uint64_t disk_accounted;
};

/* The blocks, the description and the bytes leave the memory. */
void tachy_batch_unload(tachy_batch *batch);
void tachy_batch_free(tachy_batch *batch);
/* Sets what follows from the blocks: count, classes, events. */
void tachy_batch_count(tachy_batch *batch);
/* Takes the blocks of these classes (a bit for each) out of a loaded batch, which gets another id and its bytes anew,
 * and adds up their events. 0: there are none. */
int tachy_batch_drop(tachy_batch *batch, unsigned classes, uint64_t events[TACHY_CLASSES]);
/* Compresses the bodies of a batch that nobody else has yet, where that makes them smaller and there is memory. */
void tachy_batch_compress(tachy_batch *batch, tachy_codec codec, tachy_compressor *compress, void *context);
/* Bytes of a loaded batch as it travels. */
uint64_t tachy_batch_size(const tachy_batch *batch);
/* Gives `writer` the batch as it travels, piece by piece. 0: it refused one, or no memory. */
typedef int tachy_batch_writer(void *context, const void *bytes, uint64_t size);
int tachy_batch_write(tachy_batch *batch, tachy_batch_writer *writer, void *context);

#endif
