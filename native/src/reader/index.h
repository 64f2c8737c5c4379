/* What the writer and the reader of block indexes share. */
#ifndef TACHY_READER_INDEX_H
#define TACHY_READER_INDEX_H

enum { TACHY_INDEX_VERSION = 1, TACHY_INDEX_HEAD = 9 /* the version, and the UTC that the first begins count from */ };

#endif
