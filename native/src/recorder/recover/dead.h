/* What a process that is gone left in its session file: from chunks and state to the blocks that its collector
 * would have cut next. Reads the file and changes nothing. Anything may stand in it: a program that crashed may have
 * written anywhere. */
#ifndef TACHY_SRC_RECORDER_RECOVER_DEAD_H
#define TACHY_SRC_RECORDER_RECOVER_DEAD_H

#include "../../encode/block.h"
#include "../../os/os.h"
#include "../pool/session_layout.h"

#define TACHY_DEAD_CHUNKS_MAX (1u << 20) /* nobody has more */

typedef struct tachy_dead {
  uint8_t process_id[16];
  tachy_bytes description; /* JSON without its end */
  tachy_block *blocks;
  uint64_t events[TACHY_CLASSES];
} tachy_dead;

/* TACHY_ERROR_FORMAT: it cannot be read. What was filled in must be freed in any case. */
tachy_status tachy_dead_read(const tachy_os_file *file, const tachy_session_head *head, tachy_dead *dead);
void tachy_dead_free(tachy_dead *dead);
/* The description alone. */
tachy_status tachy_dead_description(const tachy_os_file *file, const tachy_session_head *head, tachy_bytes *json);

/* Gives back the storage of chunks that are nobody's, for a full file system that has no room for the batch. 1: there
 * was some. */
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

/* dead_records.c: how many of the bytes are whole records that make sense. */
uint64_t tachy_dead_records(tachy_class cls, const uint8_t *bytes, uint64_t size);

/* dead_chunks.c: puts what is in slots and chunks into the channels, one for each class, whose streams each have a
 * source without a slot. 0: no memory, or it could not be read. */
int tachy_dead_chunks(tachy_channel *channels, const tachy_os_file *file, const tachy_session_head *head);

#endif
