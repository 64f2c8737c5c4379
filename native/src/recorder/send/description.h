/* The description of the process that every batch carries. */
#ifndef TACHY_SRC_RECORDER_SEND_DESCRIPTION_H
#define TACHY_SRC_RECORDER_SEND_DESCRIPTION_H

#include <tachy/tachy.h>

#include "../../base/buffer.h"

/* Takes over the configuration and makes a new process id. TACHY_OK, _ARGUMENT, _MEMORY or _SYSTEM. */
tachy_status tachy_description_start(const tachy_config *config);
void tachy_description_process_id(uint8_t id[16]);
/* JSON text without its end, which says how the process ended: a killed one cannot say that itself. 0: no memory. */
int tachy_description_write(tachy_bytes *json);
/* Adds the end. state: "running", "exited" or "crashed". 0: no memory. */
int tachy_description_end(tachy_bytes *json, const char *state);
/* Before the end: one property more. `json` ends with its properties. */
int tachy_description_add(tachy_bytes *json, const char *key, const char *value);
/* Whether the process that wrote such a text has this value of "destination" or "parent_process_id". */
int tachy_description_says(const tachy_bytes *json, const char *key, const char *value);
/* Whether such text is of a process whose batches are for this destination. */
int tachy_description_is_for(const tachy_bytes *json, const char *destination);

/* Around fork(). */
void tachy_description_lock(void);
void tachy_description_unlock(void);
void tachy_description_after_fork(void);

#endif
