/* A block's head: structure, without hashes. check.c and body.c stand on it. */
#ifndef TACHY_READER_HEAD_H
#define TACHY_READER_HEAD_H

#include <tachy/reader.h>

/* Checks what is needed before anything in the head may be used, and copies the header out. */
tachy_status tachy_head_check(const void *bytes, uint64_t size, tachy_block_header *header, tachy_read_error *error);

/* Entry `index` of the thread table of a checked head. */
tachy_block_thread tachy_head_thread(const void *bytes, uint32_t index);

#endif
