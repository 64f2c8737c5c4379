/* What a process that is gone left in its session file: from rings, journal and state to the blocks that its collector
 * would have cut next. Reads the file and changes nothing. Anything may stand in it: a program that crashed may have
 * written anywhere. */
#ifndef TACHY_SRC_RECORDER_RECOVER_DEAD_H
#define TACHY_SRC_RECORDER_RECOVER_DEAD_H

#include "../../encode/block.h"
#include "../pool/session_layout.h"

typedef struct tachy_dead {
  uint8_t process_id[16];
  tachy_bytes description; /* JSON without its end */
  tachy_block *blocks;
  uint64_t events[TACHY_CLASSES];
} tachy_dead;

/* TACHY_ERROR_FORMAT: it cannot be read. What was filled in must be freed in any case. */
tachy_status tachy_dead_read(const tachy_os_file *file, const tachy_session_head *head, tachy_dead *dead);
void tachy_dead_free(tachy_dead *dead);

/* Gives back what of the rings' storage nobody will read any more: a full file system has no room for the batch else.
 * 1: some of it. */
int tachy_dead_thin(tachy_os_file *file, const tachy_session_head *head);

/* dead_names.c: the names in the file. */
typedef struct tachy_dead_names {
  tachy_names names;
  uint8_t *bytes;
  tachy_bytes strings; /* tachy_string */
  tachy_bytes sites;   /* tachy_site_entry */
  tachy_bytes sets;    /* const tachy_set_entry * */
  tachy_bytes pairs;   /* the sets */
  tachy_site_entry nobody;
} tachy_dead_names;

/* 0: no memory, or it could not be read. */
int tachy_dead_names_read(tachy_dead_names *names, const tachy_os_file *file, uint64_t size);
void tachy_dead_names_free(tachy_dead_names *names);

/* dead_rings.c */

/* How many of the bytes, which lie within one lap, are whole records that make sense. */
uint64_t tachy_dead_records(tachy_class cls, const uint8_t *bytes, uint64_t size);
/* Replays the journal. 0: no memory. */
int tachy_dead_replay(tachy_channel *channel, const uint8_t *journal, uint64_t size);
/* dead_reels.c: puts what the flight recorder had into the streams of spans. 0: no memory. */
int tachy_dead_reels(tachy_channel *channel, const uint8_t *memory, uint64_t size);
/* Place number i. 0: there is none, or what stands there cannot be. */
int tachy_dead_place(const tachy_os_file *file, uint64_t i, tachy_session_slot *place);
/* Puts what is in the slot's rings into the streams. 0: no memory, or it could not be read. */
int tachy_dead_read_slot(tachy_channel *channels, const tachy_os_file *file, const tachy_session_slot *place);
/* Gives back the storage of what has been read out of its rings. 1: some. */
int tachy_dead_thin_slot(tachy_os_file *file, const tachy_session_slot *place);

#endif
