/* The sender: one thread that takes batches from the recorder and posts them. They are compressed (zstd level 1) when
 * the recorder makes them, on its collector's thread; on this one, where they come from before this sender began.
 *
 *   tachy_http_sender *sender;
 *   tachy_start(NULL);
 *   tachy_http_sender_start(NULL, &sender);   // to TACHY_URL, or http://127.0.0.1:9000
 *   …
 *   tachy_http_sender_stop(sender, 5000);     // stops the session too
 *
 * For C and C++; in C++, tachy::Session does the same. Link tachy::sdk.
 *
 * What the server says decides (tachy_retry_answer): 2xx is sent; 400, 409, 411, 413, 415 and 422 say that the batch
 * itself is bad: it is dropped, counted in tachy_stats, and its reason kept in tachy_http_stats. Every other status and
 * every failure here or in the network is tried again, with the same batch id, after a pause that doubles up to a
 * limit, with jitter, and not before a Retry-After has passed.
 */
#ifndef TACHY_HTTP_SENDER_H
#define TACHY_HTTP_SENDER_H

#include <tachy/tachy.h>

#define TACHY_DEFAULT_URL "http://127.0.0.1:9000"
#define TACHY_DESTINATION_SIZE 1024 /* of a buffer for tachy_http_destination */

/* What tachy::sdk_shared shows beside the recorder. */
#if defined(_WIN32) && defined(TACHY_SDK_BUILD)
#define TACHY_SDK_API __declspec(dllexport) extern
#else
#define TACHY_SDK_API TACHY_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Zero takes the default. Copied by tachy_http_sender_start. */
typedef struct tachy_http_config {
  const char *url;         /* of the server; default: the environment's TACHY_URL, or TACHY_DEFAULT_URL */
  uint32_t timeout_ms;     /* of one request, answer included; default 30000 */
  uint32_t retry_ms;       /* the first pause after a failure; default 250 */
  uint32_t retry_limit_ms; /* the longest pause, unless the server's Retry-After is longer; default 30000 */
  const char *key;         /* sent as "Authorization: Bearer KEY"; default: the environment's TACHY_KEY, or none */
  const char *headers;     /* more headers of each request: "Name: value", with a line end between two; default none */
  const char *ca;          /* a file of certificates (PEM) to trust in the place of the system's; default: the
                              environment's TACHY_CA, or the system's. Not on Windows, which has a store for them */
} tachy_http_config;

typedef struct tachy_http_stats {
  uint64_t requests; /* answered or not */
  uint64_t sent;     /* batches that the server has */
  uint64_t retries;  /* batches put back, to be sent again */
  uint64_t refused;  /* batches dropped because the server will never take them */
  char error[256];   /* why the last request failed; "" when it did not */
} tachy_http_stats;

typedef struct tachy_http_sender tachy_http_sender;

/* Where a sender of this configuration sends. As long-lived as config->url and the environment. */
TACHY_SDK_API const char *tachy_http_url(const tachy_http_config *config);

/* The same without what stands before an @: for tachy_config.destination, so that programs that send there send what
 * killed ones have left. The session file keeps it, and no password. Returns `buffer`; what does not fit is cut. */
TACHY_SDK_API const char *tachy_http_destination(const tachy_http_config *config, char *buffer, size_t size);

/* Starts the thread, after tachy_start. Where several parts of a program have one, one of them sends at a time. The
 * process gets the property "pid". TACHY_ERROR_ARGUMENT: not an http or https URL with a host, in ASCII, without query
 * and fragment; a key with blanks or beyond ASCII; headers that are none. */
TACHY_SDK_API tachy_status tachy_http_sender_start(const tachy_http_config *config, tachy_http_sender **sender);

TACHY_SDK_API void tachy_http_sender_get_stats(tachy_http_sender *sender, tachy_http_stats *stats);

/* Stops the session (tachy_stop) and gives the sender timeout_ms to deliver what waits, then stops and frees it: it
 * returns after at most timeout_ms and a fraction of a second, whatever the network does. Ignores NULL, and in a child
 * of fork() the parent's sender, whose memory stays. */
TACHY_SDK_API void tachy_http_sender_stop(tachy_http_sender *sender, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
