/* Identities as text. */
#ifndef TACHY_READER_IDS_H
#define TACHY_READER_IDS_H

#include <stdint.h>

enum { TACHY_ID_TEXT = 36 }; /* characters of a UUID */

/* Not terminated. */
void tachy_id_text(const uint8_t id[16], char text[TACHY_ID_TEXT]);

#endif
