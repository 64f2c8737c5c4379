/* How much of batches may be written to storage in any five minutes. Any thread may ask. */
#ifndef TACHY_SRC_RECORDER_SEND_WRITE_BUDGET_H
#define TACHY_SRC_RECORDER_SEND_WRITE_BUDGET_H

#include <stdint.h>

/* From now on; 0: as much as there is. What was written before counts on. */
void tachy_write_budget_set(uint64_t bytes);
/* So many bytes are to be written: 1, and they count, or 0. */
int tachy_write_budget_take(uint64_t bytes);
void tachy_write_budget_after_fork(void);

#endif
