/* What functions of the recorder and of the reader answer. */
#ifndef TACHY_STATUS_H
#define TACHY_STATUS_H

typedef enum tachy_status {
  TACHY_OK = 0,
  TACHY_ERROR_ARGUMENT = 1,
  TACHY_ERROR_MEMORY = 2,
  TACHY_ERROR_STATE = 3,  /* already started, or not started */
  TACHY_ERROR_SYSTEM = 4, /* the operating system refused */
  TACHY_ERROR_FORMAT = 5, /* bytes that are not what docs/format.md says */
  TACHY_JOINED = 6        /* no error: tachy_start found a session of another part of the program, and joined it */
} tachy_status;

#endif
