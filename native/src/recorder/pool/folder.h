/* Where the session file and the files of unsent batches lie. */
#ifndef TACHY_SRC_RECORDER_POOL_FOLDER_H
#define TACHY_SRC_RECORDER_POOL_FOLDER_H

#include <stddef.h>

#define TACHY_FOLDER_MAX 1024

/* The folder that the setting names, or the environment's TACHY_SESSION_FOLDER, or the system's standard ones, the
 * first that is this user's own; made if need be. "": nowhere, because "-" was asked for, or there is no such folder,
 * which one line on stderr says. */
void tachy_folder_resolve(const char *given, char *path, size_t size);

#endif
