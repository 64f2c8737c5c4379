/* XXH64 with seed 0, from the public specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md). */
#include "hash.h"

#include <string.h>

#define PRIME1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME3 UINT64_C(0x165667B19E3779F9)
#define PRIME4 UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME5 UINT64_C(0x27D4EB2F165667C5)

static inline uint64_t rotate(uint64_t x, unsigned bits) { return x << bits | x >> (64u - bits); }

static inline uint64_t read64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint32_t read32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint64_t lane_round(uint64_t lane, uint64_t input) { return rotate(lane + input * PRIME2, 31) * PRIME1; }

static inline uint64_t merge(uint64_t hash, uint64_t lane) { return (hash ^ lane_round(0, lane)) * PRIME1 + PRIME4; }

uint64_t tachy_hash(const void *bytes, uint64_t size) {
  const uint8_t *p = bytes;
  uint64_t rest = size;
  uint64_t hash = PRIME5;
  if (rest >= 32) {
    uint64_t a = PRIME1 + PRIME2;
    uint64_t b = PRIME2;
    uint64_t c = 0;
    uint64_t d = UINT64_C(0) - PRIME1;
    for (; rest >= 32; rest -= 32, p += 32) {
      a = lane_round(a, read64(p));
      b = lane_round(b, read64(p + 8));
      c = lane_round(c, read64(p + 16));
      d = lane_round(d, read64(p + 24));
    }
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
    hash = merge(merge(merge(merge(hash, a), b), c), d);
  }
  hash += size;
  for (; rest >= 8; rest -= 8, p += 8) hash = rotate(hash ^ lane_round(0, read64(p)), 27) * PRIME1 + PRIME4;
  if (rest >= 4) {
    hash = rotate(hash ^ read32(p) * PRIME1, 23) * PRIME2 + PRIME3;
    rest -= 4;
    p += 4;
  }
  for (; rest > 0; rest--, p++) hash = rotate(hash ^ *p * PRIME5, 11) * PRIME1;
  hash = (hash ^ hash >> 33) * PRIME2;
  hash = (hash ^ hash >> 29) * PRIME3;
  return hash ^ hash >> 32;
}
