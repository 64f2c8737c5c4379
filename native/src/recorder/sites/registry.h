/* The registry of sites, property sets and their strings: numbers for descriptions, for the life of the process. */
#ifndef TACHY_SRC_RECORDER_SITES_REGISTRY_H
#define TACHY_SRC_RECORDER_SITES_REGISTRY_H

#include "../../base/names.h"

/* For the collector. The numbers must have come out of a record; what is found never changes. */
extern const tachy_names tachy_registry_names;
/* Of these, what sets.c answers. */
const tachy_set_entry *tachy_registry_set(const void *unused, uint32_t number);
uint32_t tachy_registry_site_count(void);
/* Sites and sets that got no number, since the process began. */
uint64_t tachy_registry_refused(void);

/* Switches every site as the filter says, or all of them off. */
void tachy_registry_switch(int on);
/* After a change of the filter, which was made under the lock: the same, if they are not all off. */
void tachy_registry_switch_again(void);

/* Counts a site or a set that got no number. */
void tachy_registry_refuse(void);

/* Under the lock: writes everything into a new session file. */
void tachy_registry_save(void);

/* Around fork(). */
void tachy_registry_lock(void);
void tachy_registry_unlock(void);
void tachy_registry_after_fork(void);

#endif
