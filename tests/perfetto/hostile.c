/* Feeds the encoder damaged blocks under the sanitizers and writes what it made of them.
 *
 *   hostile CORPUS ROUNDS SEED OUT
 *
 * CORPUS: blocks as u32 head size, u32 body size, head, body. Each round adds all blocks to one trace, most of them
 * damaged, some repeated, then finishes. What the
 * last round wrote is in OUT.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tachy/reader.h>

static uint64_t state;

static uint64_t next(uint64_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return below ? state % below : 0;
}

static void damage(uint8_t *bytes, uint64_t size, uint64_t from) {
  static const uint8_t edges[] = {0, 1, 2, 127, 128, 254, 255};
  for (uint64_t n = next(6); n > 0 && size > from; n--) {
    uint8_t *const at = bytes + from + next(size - from);
    switch (next(3)) {
      case 0:
        *at = (uint8_t)next(256);
        break;
      case 1:
        *at = edges[next(sizeof edges)];
        break;
      default:
        *at = bytes[next(size)];
        break;
    }
  }
}

/* A copy of exactly `size` bytes, so that the sanitizer sees every byte beyond. */
static uint8_t *copy(const uint8_t *bytes, uint64_t size) {
  uint8_t *const made = malloc(size ? size : 1);
  if (!made) abort();
  memcpy(made, bytes, size);
  return made;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  FILE *file = fopen(argv[1], "rb");
  if (!file) return 2;
  fseek(file, 0, SEEK_END);
  const uint64_t size = (uint64_t)ftell(file);
  rewind(file);
  uint8_t *const corpus = malloc(size + 1);
  if (!corpus || fread(corpus, 1, size, file) != size) return 2;
  fclose(file);
  state = strtoull(argv[3], NULL, 10) * 2654435761u + 88172645463325252u;
  uint64_t added = 0, refused = 0, broken = 0;
  for (uint64_t round = strtoull(argv[2], NULL, 10); round > 0; round--) {
    tachy_perfetto *const trace = tachy_perfetto_new();
    const uint64_t kind = next(3); /* of three rounds one damages every block, one a few, one none */
    if (next(2)) tachy_perfetto_range(trace, (int64_t)(1750000000000000000u + next(100000)), 1750000000000100000);
    if (!next(4)) tachy_perfetto_spans(trace, (int)next(2), (int)next(2));
    FILE *const out = fopen(argv[4], "wb");
    for (uint64_t at = 0; at + 8 <= size;) {
      uint32_t sizes[2];
      memcpy(sizes, corpus + at, 8);
      uint8_t *const head = copy(corpus + at + 8, sizes[0]);
      uint8_t *const body = copy(corpus + at + 8 + sizes[0], sizes[1]);
      if (next(10)) at += 8 + (uint64_t)sizes[0] + sizes[1];
      if (kind == 0 || (kind == 1 && !next(4))) {
        damage(head, sizes[0], next(2) ? 32 : 208);
        damage(body, sizes[1], next(2) ? 0 : sizes[1] / 3);
      }
      tachy_read_error error;
      tachy_status status = tachy_perfetto_start(trace, head, sizes[0], body, sizes[1], &error);
      refused += status == TACHY_ERROR_FORMAT;
      for (int more = !status; more;) {
        status = tachy_perfetto_next(trace, &more, &error);
        uint64_t taken;
        const void *const bytes = tachy_perfetto_take(trace, &taken);
        if (taken && fwrite(bytes, 1, taken, out) != taken) return 2;
      }
      added += status == TACHY_OK;
      free(head);
      free(body);
    }
    tachy_read_error error;
    broken += tachy_perfetto_finish(trace, 1750000000001000000, &error) != TACHY_OK;
    uint64_t taken;
    const void *const bytes = tachy_perfetto_take(trace, &taken);
    if (taken && fwrite(bytes, 1, taken, out) != taken) return 2;
    fclose(out);
    tachy_perfetto_free(trace);
  }
  free(corpus);
  printf("%llu %llu %llu\n", (unsigned long long)added, (unsigned long long)refused, (unsigned long long)broken);
  return 0;
}
