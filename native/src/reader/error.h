/* How the reader says no: a status, and one sentence for whoever sent the bytes. */
#ifndef TACHY_READER_ERROR_H
#define TACHY_READER_ERROR_H

#include <tachy/reader.h>

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
tachy_status
tachy_read_fail(tachy_read_error *error, const char *format, ...); /* TACHY_ERROR_FORMAT */

tachy_status tachy_read_no_memory(tachy_read_error *error); /* TACHY_ERROR_MEMORY */

#endif
