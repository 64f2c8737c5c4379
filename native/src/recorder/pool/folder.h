/* Where the session file and the files of unsent batches lie, and what lies there. */
#ifndef TACHY_SRC_RECORDER_POOL_FOLDER_H
#define TACHY_SRC_RECORDER_POOL_FOLDER_H

#include "../../base/buffer.h"

#define TACHY_FOLDER_MAX 1024

/* The folder that the setting names, or the environment's TACHY_SESSION_FOLDER, or the system's standard ones, the
 * first that is this user's own; made if need be. "": nowhere, because "-" was asked for, or there is no such folder,
 * which one line on stderr says. */
void tachy_folder_resolve(const char *given, char *path, size_t size);

enum { TACHY_FILE_NAME_MAX = 104, TACHY_PATH_MAX = TACHY_FOLDER_MAX + TACHY_FILE_NAME_MAX };

/* In the order in which they are listed. */
typedef enum tachy_file_kind {
  TACHY_FILE_SESSION,  /* UUID.session */
  TACHY_FILE_BATCH,    /* UUID….batch */
  TACHY_FILE_NEW_BATCH /* UUID….batch.new: not renamed yet */
} tachy_file_kind;

typedef struct tachy_file {
  char name[TACHY_FILE_NAME_MAX];
  tachy_file_kind kind;
  uint8_t id[16]; /* of the session */
  uint64_t storage;
  int64_t utc; /* when it was last written */
} tachy_file;

/* Appends all such files, by session, kind and name. 0: the folder could not be read, or there is no memory. */
int tachy_folder_list(const char *folder, tachy_bytes *files);
static inline tachy_file *tachy_file_at(const tachy_bytes *files, size_t i) {
  return (tachy_file *)(void *)files->bytes + i;
}
static inline size_t tachy_file_count(const tachy_bytes *files) { return files->size / sizeof(tachy_file); }
int tachy_file_order(const void *a, const void *b); /* that order, for qsort */

/* FOLDER/NAME. */
void tachy_folder_path(const char *folder, const char *name, char path[TACHY_PATH_MAX]);

#endif
