/* Distinct counts: HyperLogLog with 2^14 registers (0.8 % standard error), counted by Ertl's estimator ("New
 * cardinality estimation algorithms for HyperLogLog sketches", 2017), which needs no tables of corrections.
 *
 * While there are few values a sketch is the list of the registers that are set out of 2^26, as in HyperLogLog++: such
 * an entry says what register it is of 2^14, too, and linear counting of the list is right to one in ten thousand. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "text.h"

enum { LIST = 1, REGISTERS = 2 }; /* first byte of a sketch */

#define REGISTER_COUNT (1u << 14)
#define LIST_BITS 26u                /* of a hash, which are the sparse index; the others give the rank */
#define RANK_BITS (64u - LIST_BITS)  /* those others */
#define DIFFERENCE (LIST_BITS - 14u) /* bits of a sparse index that count towards a register's rank */
#define MOST_ENTRIES 4096u           /* as many bytes as registers */
#define MOST_RANK (DIFFERENCE + RANK_BITS + 1)

/* An entry is a sparse index (a register of 2^26) << 6 | rank; none is 0. */
struct tachy_hll {
  uint8_t *registers; /* NULL: it is a list still */
  uint32_t *slots;    /* the list: open addressing with linear probing, at most half full */
  uint32_t capacity;  /* of slots, a power of two */
  uint32_t count;
  uint8_t *bytes; /* that were handed out */
};

tachy_hll *tachy_hll_new(void) { return calloc(1, sizeof(tachy_hll)); }

void tachy_hll_free(tachy_hll *hll) {
  if (!hll) return;
  free(hll->registers);
  free(hll->slots);
  free(hll->bytes);
  free(hll);
}

/* How many zeros come before the first one of the `bits` highest bits, and 1; bits + 1: there is no one. */
static uint32_t rank_of(uint64_t value, uint32_t bits) {
  uint32_t rank = 1;
  for (; rank <= bits && !(value >> 63); rank++) value <<= 1;
  return rank;
}

static void set_register(uint8_t *registers, uint32_t entry) {
  const uint32_t index = entry >> 6;
  uint32_t rank = rank_of((uint64_t)index << (64 - DIFFERENCE), DIFFERENCE);
  if (rank > DIFFERENCE) rank = DIFFERENCE + (entry & 63);
  uint8_t *const at = registers + (index >> DIFFERENCE);
  if (*at < rank) *at = (uint8_t)rank;
}

static int to_registers(tachy_hll *hll) {
  if (hll->registers) return 1;
  hll->registers = calloc(1, REGISTER_COUNT);
  if (!hll->registers) return 0;
  for (uint32_t i = 0; i < hll->capacity; i++) {
    if (hll->slots[i]) set_register(hll->registers, hll->slots[i]);
  }
  free(hll->slots);
  hll->slots = NULL;
  hll->capacity = hll->count = 0;
  return 1;
}

static uint32_t *slot_of(uint32_t *slots, uint32_t capacity, uint32_t entry) {
  uint32_t i = (entry >> 6) & (capacity - 1);
  while (slots[i] && slots[i] >> 6 != entry >> 6) i = (i + 1) & (capacity - 1);
  return slots + i;
}

static int make_room(tachy_hll *hll) {
  if (hll->count * 2 < hll->capacity) return 1;
  const uint32_t capacity = hll->capacity ? hll->capacity * 2 : 16;
  uint32_t *const slots = calloc(capacity, sizeof *slots);
  if (!slots) return 0;
  for (uint32_t i = 0; i < hll->capacity; i++) {
    if (hll->slots[i]) *slot_of(slots, capacity, hll->slots[i]) = hll->slots[i];
  }
  free(hll->slots);
  hll->slots = slots;
  hll->capacity = capacity;
  return 1;
}

/* 0: out of memory. */
static int add(tachy_hll *hll, uint32_t entry) {
  if (!hll->registers) {
    if (!make_room(hll)) return 0;
    uint32_t *const slot = slot_of(hll->slots, hll->capacity, entry);
    if (*slot || hll->count < MOST_ENTRIES) {
      if (!*slot) hll->count++;
      if (*slot < entry) *slot = entry;
      return 1;
    }
    if (!to_registers(hll)) return 0;
  }
  set_register(hll->registers, entry);
  return 1;
}

tachy_status tachy_hll_add(tachy_hll *hll, const tachy_texts *texts, tachy_read_error *error) {
  for (uint64_t i = texts->first; i < texts->first + texts->count; i++) {
    if (tachy_texts_is_null(texts, i)) continue;
    const int32_t at = texts->offsets[i];
    const uint64_t hash = tachy_hash(texts->bytes + at, (uint64_t)(texts->offsets[i + 1] - at));
    const uint32_t index = (uint32_t)(hash >> RANK_BITS);
    if (!add(hll, index << 6 | rank_of(hash << LIST_BITS, RANK_BITS))) return tachy_read_no_memory(error);
  }
  return TACHY_OK;
}

/* Bytes -------------------------------------------------------------------------------------------------------------*/

static uint32_t read_entry(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static int is_list(const uint8_t *bytes, uint64_t size) {
  if (!size || bytes[0] != LIST || (size - 1) % 4 || (size - 1) / 4 > MOST_ENTRIES) return 0;
  for (uint64_t at = 1; at < size; at += 4) {
    const uint32_t entry = read_entry(bytes + at);
    if (!(entry & 63) || (entry & 63) > RANK_BITS + 1) return 0;
    if (at > 1 && entry >> 6 <= read_entry(bytes + at - 4) >> 6) return 0;
  }
  return 1;
}

static int is_registers(const uint8_t *bytes, uint64_t size) {
  if (size != 1 + REGISTER_COUNT || bytes[0] != REGISTERS) return 0;
  for (uint64_t at = 1; at < size; at++) {
    if (bytes[at] > MOST_RANK) return 0;
  }
  return 1;
}

static tachy_status refuse(tachy_read_error *error) { return tachy_read_fail(error, "it is no sketch of make_hll"); }

tachy_status tachy_hll_merge(tachy_hll *hll, const tachy_texts *sketches, tachy_read_error *error) {
  for (uint64_t i = sketches->first; i < sketches->first + sketches->count; i++) {
    if (tachy_texts_is_null(sketches, i)) continue;
    const uint8_t *const bytes = sketches->bytes + sketches->offsets[i];
    const uint64_t size = (uint64_t)(sketches->offsets[i + 1] - sketches->offsets[i]);
    if (is_list(bytes, size)) {
      for (uint64_t at = 1; at < size; at += 4) {
        if (!add(hll, read_entry(bytes + at))) return tachy_read_no_memory(error);
      }
    } else if (is_registers(bytes, size)) {
      if (!to_registers(hll)) return tachy_read_no_memory(error);
      for (uint32_t at = 0; at < REGISTER_COUNT; at++) {
        if (hll->registers[at] < bytes[at + 1]) hll->registers[at] = bytes[at + 1];
      }
    } else {
      return refuse(error);
    }
  }
  return TACHY_OK;
}

static int by_index(const void *a, const void *b) {
  const uint32_t one = *(const uint32_t *)a;
  const uint32_t other = *(const uint32_t *)b;
  return (one > other) - (one < other);
}

const uint8_t *tachy_hll_bytes(tachy_hll *hll, uint64_t *size) {
  *size = 1 + (hll->registers ? REGISTER_COUNT : (uint64_t)hll->count * 4);
  uint8_t *const bytes = realloc(hll->bytes, (size_t)*size);
  if (!bytes) return NULL;
  hll->bytes = bytes;
  bytes[0] = hll->registers ? REGISTERS : LIST;
  if (hll->registers) {
    memcpy(bytes + 1, hll->registers, REGISTER_COUNT);
    return bytes;
  }
  uint32_t *const sorted = malloc(((size_t)hll->count + 1) * sizeof *sorted);
  if (!sorted) return NULL;
  uint32_t count = 0;
  for (uint32_t i = 0; i < hll->capacity; i++) {
    if (hll->slots[i]) sorted[count++] = hll->slots[i];
  }
  qsort(sorted, count, sizeof *sorted, by_index);
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t byte = 0; byte < 4; byte++) bytes[1 + i * 4 + byte] = (uint8_t)(sorted[i] >> (byte * 8));
  }
  free(sorted);
  return bytes;
}

/* Counts ----------------------------------------------------------------------------------------------------------- */

/* -m ln(1 - n / m) of m registers, by its series: n / m is below 2^-14. */
static double count_list(uint64_t entries) {
  const double registers = (double)(1u << LIST_BITS);
  const double x = (double)entries / registers;
  return registers * x * (1 + x * (1.0 / 2 + x * (1.0 / 3 + x / 4)));
}

static double sigma(double x) {
  double sum = x;
  double before;
  double factor = 1;
  do {
    x *= x;
    before = sum;
    sum += x * factor;
    factor += factor;
  } while (sum != before);
  return sum;
}

/* Algorithm 6 of the paper without its tau, which is 0 but where a register says 51: of 2^50 values. */
static double count_registers(const uint8_t *registers) {
  uint32_t with[MOST_RANK + 1] = {0};
  for (uint32_t i = 0; i < REGISTER_COUNT; i++) with[registers[i]]++;
  if (with[0] == REGISTER_COUNT) return 0;
  double z = 0;
  for (uint32_t rank = MOST_RANK - 1; rank > 0; rank--) z = 0.5 * (z + with[rank]);
  z += REGISTER_COUNT * sigma((double)with[0] / REGISTER_COUNT);
  const double half_by_ln_2 = 0.72134752044448170;
  const double count = half_by_ln_2 * REGISTER_COUNT * REGISTER_COUNT / z;
  return count < 9e18 ? count : 9e18; /* z may be 0 */
}

tachy_status tachy_hll_counts(const tachy_texts *sketches, int64_t *counts, tachy_read_error *error) {
  for (uint64_t i = sketches->first; i < sketches->first + sketches->count; i++) {
    const uint8_t *const bytes = sketches->bytes + sketches->offsets[i];
    const uint64_t size = (uint64_t)(sketches->offsets[i + 1] - sketches->offsets[i]);
    double count = 0;
    if (!tachy_texts_is_null(sketches, i)) {
      if (is_list(bytes, size)) {
        count = count_list((size - 1) / 4);
      } else if (is_registers(bytes, size)) {
        count = count_registers(bytes + 1);
      } else {
        return refuse(error);
      }
    }
    counts[i - sketches->first] = (int64_t)(count + 0.5);
  }
  return TACHY_OK;
}
