/* Changes a dead process's session file at random and reads it, for so many milliseconds: nothing may be read or
 * written that is not there, nothing may take for ever or all memory. usage: fuzz_dead FILE SEED MILLISECONDS. Prints
 * how many were read, and how many of them gave blocks. */
#include <sys/mman.h>

#include "../../native/src/recorder/recover/dead.h"
#include "../../native/src/recorder/send/batch.h"
#include "../../native/src/recorder/send/description.h"
#include "harness.h"

enum { PAGE = 4096, PAGES_MAX = 1 << 16, CHANGES_MAX = 8 };

typedef struct change {
  off_t offset;
  uint64_t before;
} change;

static uint64_t state;
static off_t pages[PAGES_MAX]; /* that hold something */
static size_t page_count;

static uint64_t draw(uint64_t below) {
  state += UINT64_C(0x9E3779B97F4A7C15);
  return tachy_mix64(state) % below;
}

static int copy(const char *path) {
  uint8_t page[PAGE];
  FILE *const from = fopen(path, "rb");
  const int to = memfd_create("session", 0);
  CHECK(from && to >= 0);
  off_t at = 0;
  while ((at = lseek(fileno(from), at, SEEK_DATA)) >= 0) {
    static const uint8_t zeros[PAGE];
    const ssize_t size = pread(fileno(from), page, PAGE, at);
    CHECK(size > 0 && page_count < PAGES_MAX);
    CHECK(pwrite(to, page, (size_t)size, at) == size);
    if (memcmp(page, zeros, (size_t)size) != 0) pages[page_count++] = at;
    at += PAGE;
  }
  CHECK(ftruncate(to, lseek(fileno(from), 0, SEEK_END)) == 0);
  fclose(from);
  return to;
}

/* A word that is not zero, nearly always; the head, at offset 0, is what most hangs on. */
static off_t choose(int file) {
  const off_t page = draw(4) == 0 ? 0 : pages[draw(page_count)];
  for (int i = 0; i < 64; i++) {
    const off_t at = page + (off_t)(draw(PAGE / 8) * 8);
    uint64_t word;
    if (pread(file, &word, 8, at) == 8 && word) return at;
  }
  return page;
}

static uint64_t other(uint64_t word) {
  static const uint64_t extremes[] = {0,
                                      1,
                                      UINT64_MAX,
                                      INT64_MAX,
                                      UINT64_C(1) << 63,
                                      UINT32_MAX,
                                      UINT64_C(1) << 31,
                                      UINT64_C(1) << 20,
                                      4096,
                                      UINT64_MAX - 15};
  switch (draw(4)) {
    case 0:
      return extremes[draw(sizeof extremes / sizeof *extremes)];
    case 1:
      return word ^ UINT64_C(1) << draw(64);
    case 2:
      return word + draw(33) - 16;
    default:
      return (word & ~UINT64_C(0xFFFFFFFF)) | (uint32_t)extremes[draw(sizeof extremes / sizeof *extremes)];
  }
}

/* As recovery goes on with it. */
static void use(tachy_dead *dead) {
  tachy_batch batch;
  memset(&batch, 0, sizeof batch);
  if (!tachy_description_end(&dead->description, "crashed")) return;
  batch.description = dead->description;
  batch.blocks = dead->blocks;
  tachy_batch_count(&batch);
  uint64_t size;
  CHECK(tachy_batch_bytes(&batch, &size) != NULL && size > 0);
  tachy_bytes_free(&batch.bytes);
}

static int read_once(const tachy_os_file *file) {
  tachy_session_head head;
  tachy_dead dead;
  CHECK(tachy_os_file_read(file, 0, &head, sizeof head));
  const tachy_status status = tachy_dead_read(file, &head, &dead);
  const int blocks = status == TACHY_OK && dead.blocks;
  if (status == TACHY_OK) use(&dead);
  tachy_dead_free(&dead);
  return blocks;
}

int main(int argc, char **argv) {
  CHECK(argc == 4);
  state = strtoull(argv[2], NULL, 10);
  const uint64_t until = tachy_os_monotonic() + strtoull(argv[3], NULL, 10) * 1000000u;
  const tachy_os_file file = copy(argv[1]);
  CHECK(read_once(&file));
  unsigned long reads = 0, good = 0;
  while (tachy_os_monotonic() < until) {
    change changes[CHANGES_MAX];
    const uint64_t count = 1 + draw(CHANGES_MAX);
    for (uint64_t i = 0; i < count; i++) {
      changes[i].offset = choose(file);
      CHECK(pread(file, &changes[i].before, 8, changes[i].offset) == 8);
      const uint64_t word = other(changes[i].before);
      CHECK(pwrite(file, &word, 8, changes[i].offset) == 8);
    }
    good += (unsigned long)read_once(&file);
    reads++;
    for (uint64_t i = count; i-- > 0;) CHECK(pwrite(file, &changes[i].before, 8, changes[i].offset) == 8);
  }
  printf("%lu %lu\n", reads, good);
  return 0;
}
