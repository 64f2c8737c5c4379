/* Strings of the registry: equal text has one number, from 0, for the life of the process. Under the registry's lock.
 */
#ifndef TACHY_SRC_RECORDER_SITES_STRINGS_H
#define TACHY_SRC_RECORDER_SITES_STRINGS_H

#include "registry.h"

#define TACHY_NO_STRING UINT32_MAX
#define TACHY_STRING_MAX 65536u /* bytes; a longer one is cut and marked */

/* TACHY_NO_STRING: no memory, or it is not there and is not to be added. */
uint32_t tachy_strings_number(const char *text, uint64_t size, int add);
tachy_string tachy_strings_text(uint32_t number);
/* Write all of them into a new session file. */
void tachy_strings_save(void);
void tachy_sets_save(void);

/* A list that grows and never moves: chunks of doubling size. */
typedef struct tachy_list {
  uint8_t *chunks[32];
  uint32_t count;
} tachy_list;

/* Memory for the life of the process, zeroed, or NULL. Not of the heap: a signal handler may register what it records,
 * and may have interrupted malloc. */
void *tachy_registry_memory(size_t size);
/* The last piece, if it is not larger than a string. */
void tachy_registry_take_back(void *memory, size_t size);

/* Room for one more; 0: no memory. */
int tachy_list_reserve(tachy_list *list, size_t item_size);
/* A new item, zeroed, or NULL. */
void *tachy_list_add(tachy_list *list, size_t item_size);
void *tachy_list_at(const tachy_list *list, uint32_t index, size_t item_size);

/* Heads of hash chains; 0 ends a chain, so items count from 1. */
typedef struct tachy_chains {
  uint32_t *heads;
  uint32_t mask;
} tachy_chains;

/* The head for a hash, or NULL while there is no memory. */
uint32_t *tachy_chains_head(tachy_chains *chains, uint64_t hash);

#endif
