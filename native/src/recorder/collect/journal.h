/* The journal: what the collector takes out of the rings between two blocks, kept in the session file until the block
 * is safe. Every function returns 0 when there is no room before the next cut of the class (nothing was written then,
 * and nothing may be taken out), and 1 also where there is no file. */
#ifndef TACHY_SRC_RECORDER_COLLECT_JOURNAL_H
#define TACHY_SRC_RECORDER_COLLECT_JOURNAL_H

#include "../../encode/stream.h"

/* What lies in the stream's ring from the tail to `head`. */
int tachy_journal_ring(tachy_class cls, tachy_stream *stream, uint64_t head);
/* Its thread has gone, and everything has been taken out of the ring. */
int tachy_journal_end(tachy_class cls, const tachy_stream *stream, tachy_untold untold);

#endif
