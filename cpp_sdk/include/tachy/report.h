/* tachy_stats as a file: for tools and tests that compare what a program recorded with what a server has. */
#ifndef TACHY_REPORT_H
#define TACHY_REPORT_H

#include <tachy/http_sender.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes one JSON object with the fields of tachy_stats, the process id as text, the counts by class as objects ("log",
 * "metric", "span"), and bytes_per_event: wire bytes per event sent. To be called after the session has stopped.
 * TACHY_ERROR_SYSTEM: the file could not be written. */
TACHY_SDK_API tachy_status tachy_write_report(const char *path);

/* The id of the session's process as text: 37 bytes with the terminator. */
TACHY_SDK_API void tachy_process_id_text(char *text);

#ifdef __cplusplus
}
#endif
#endif
