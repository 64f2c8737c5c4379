/* The fuzzer's other way to run: `fuzz replay N FILES` takes each file whole, cut at every byte, with every bit flipped
 * and with numbers that overflow things; of these inputs every Nth. Prints how many that were. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *count, char ***words);

static unsigned long inputs, every;

static void run(const uint8_t *data, size_t size) {
  if (inputs++ % every) return;
  uint8_t *exact = malloc(size ? size : 1);
  if (!exact) exit(1);
  memcpy(exact, data, size);
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
}

int LLVMFuzzerInitialize(int *count, char ***words) {
  if (*count < 3 || strcmp((*words)[1], "replay") != 0) return 0;
  every = strtoul((*words)[2], NULL, 10);
  if (!every) exit(1);
  for (int i = 3; i < *count; i++) {
    FILE *file = fopen((*words)[i], "rb");
    static uint8_t bytes[1 << 20];
    const size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (!size) exit(1);
    fclose(file);
    run(bytes, size);
    for (size_t cut = 0; cut < size; cut++) run(bytes, cut);
    for (size_t bit = 0; bit < size * 8; bit++) {
      bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
      run(bytes, size);
      bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t at = 0; at < size; at++) { /* the numbers that overflow things */
      const uint8_t byte = bytes[at];
      for (int v = 0; v < 4; v++) {
        static const uint8_t extremes[4] = {0, 0x7F, 0x80, 0xFF};
        bytes[at] = extremes[v];
        run(bytes, size);
      }
      bytes[at] = byte;
    }
    for (size_t at = 0; at + 8 <= size; at += 4) {
      uint8_t saved[8];
      memcpy(saved, bytes + at, 8);
      static const uint64_t values[] = {UINT64_MAX, INT64_MAX, UINT32_MAX, UINT64_C(1) << 31, UINT64_C(1) << 20};
      for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        memcpy(bytes + at, &values[v], 8);
        run(bytes, size);
      }
      memcpy(bytes + at, saved, 8);
    }
  }
  printf("%lu\n", inputs / every);
  exit(0);
}
