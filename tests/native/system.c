/* The promises of native/src/os/os.h about files, locks, texts and clocks, the same on every system. usage:
 *   os_tests files FOLDER        everything about files that one process can tell
 *   os_tests hold FILE           makes, locks and maps a file, writes into the mapping, says so, and waits to be killed
 *   os_tests take FILE           says whether it got the lock, and what lies in the file
 *   os_tests environment NAME    the variable's bytes
 *   os_tests facts               one line each */
#include "../../native/src/os/os.h"
#include "harness.h"

enum { SIZE = 1 << 20, PART = TACHY_OS_MAP_STEP };

static void join_path(char *path, size_t size, const char *folder, const char *name) {
  CHECK((size_t)snprintf(path, size, "%s/%s", folder, name) < size);
}

static void look_for(void *context, const char *name) {
  if (strcmp(name, "sk\xc3\xa1la") == 0) ++*(int *)context;
}

static void check_contents(tachy_os_file *file) {
  static uint8_t bytes[SIZE];
  CHECK(tachy_os_file_size(file) == 0 && tachy_os_file_resize(file, SIZE) && tachy_os_file_size(file) == SIZE);
  CHECK(tachy_os_file_read(file, 0, bytes, SIZE));
  for (int i = 0; i < SIZE; i++) CHECK(bytes[i] == 0);
  CHECK(!tachy_os_file_read(file, SIZE - 1, bytes, 2));
  CHECK(tachy_os_file_write(file, PART + 5, "kept", 4));
  CHECK(tachy_os_file_back(file, PART, 2 * PART)); /* what is there stays */
  uint8_t *const memory = tachy_os_file_map(file, PART, 2 * PART);
  CHECK(memory != NULL);
  tachy_os_prefault(memory, 2 * PART);
  CHECK(memcmp(memory + 5, "kept", 4) == 0 && memory[0] == 0);
  memcpy(memory + PART, "through", 7);
  CHECK(tachy_os_file_read(file, 2 * PART, bytes, 7) && memcmp(bytes, "through", 7) == 0);
  tachy_os_unmap(memory, 2 * PART);
  tachy_os_unmap(NULL, PART);
  CHECK(tachy_os_file_back(file, SIZE, PART) && tachy_os_file_size(file) == SIZE + PART);
  CHECK(tachy_os_file_resize(file, 0) && tachy_os_file_size(file) == 0);
}

static void check_files(const char *parent) {
  char folder[512], path[600], other[600];
  tachy_os_file file, second;
  join_path(folder, sizeof folder, parent, "m\xc3\xb6ppur");
  CHECK(tachy_os_folder(folder) && tachy_os_folder(folder));
  join_path(path, sizeof path, folder, "sk\xc3\xa1la");
  join_path(other, sizeof other, folder, "other");
  CHECK(!tachy_os_file_open(&file, path, TACHY_OS_EXISTING));
  CHECK(tachy_os_file_open(&file, path, TACHY_OS_NEW));
  CHECK(!tachy_os_file_open(&second, path, TACHY_OS_NEW));
  CHECK(!tachy_os_folder(path)); /* a file */
  check_contents(&file);
  CHECK(tachy_os_file_lock(&file) && tachy_os_file_write(&file, 0, "x", 1));
  CHECK(tachy_os_file_is_at(&file, path) && !tachy_os_file_is_at(&file, other));
  int found = 0;
  CHECK(tachy_os_folder_list(folder, look_for, &found) && found == 1);
  CHECK(!tachy_os_folder_list(other, look_for, &found));
  CHECK(tachy_os_folder_free(folder) > 0);
  CHECK(tachy_os_file_open(&second, other, TACHY_OS_NEW) && !tachy_os_file_is_at(&file, other));
  tachy_os_file_close(&second);
  tachy_os_file_close(&file);
  CHECK(tachy_os_file_rename(path, other) && !tachy_os_file_rename(path, other));
  CHECK(tachy_os_file_open(&file, other, TACHY_OS_EXISTING) && tachy_os_file_size(&file) == 1);
  tachy_os_file_close(&file);
  CHECK(tachy_os_file_remove(other) && !tachy_os_file_remove(other));
  char session[512];
  CHECK(tachy_os_session_folder(0, session, sizeof session) && session[0] && tachy_os_folder(session));
  CHECK(tachy_os_session_folder(0, session, 4) && session[0] == 0);
  unsigned choice = 0;
  while (tachy_os_session_folder(choice, session, sizeof session)) CHECK(choice++ < 10);
  uint64_t storage;
  int64_t utc, copied;
  CHECK(tachy_os_file_open(&file, path, TACHY_OS_NEW) && tachy_os_file_write(&file, 0, "0123456789", 10));
  tachy_os_file_close(&file);
  CHECK(tachy_os_file_look(path, &storage, &utc) && storage > 0 && utc > tachy_os_utc() - INT64_C(3600000000000));
  CHECK(!tachy_os_file_look(folder, &storage, &copied) && !tachy_os_file_look(other, &storage, &copied));
  CHECK(tachy_os_file_open(&file, other, TACHY_OS_NEW));
  tachy_os_file_close(&file);
  tachy_os_file_copy_time(path, other);
  CHECK(tachy_os_file_look(other, &storage, &copied) && copied == utc);
  CHECK(tachy_os_file_remove(path) && tachy_os_file_remove(other));
  CHECK(tachy_os_folder_lock(&file, folder) && !tachy_os_folder_lock(&second, folder));
  tachy_os_folder_unlock(&file);
  CHECK(tachy_os_folder_lock(&file, folder));
  tachy_os_folder_unlock(&file);
}

static void hold(const char *path) {
  tachy_os_file file;
  CHECK(tachy_os_file_open(&file, path, TACHY_OS_NEW) && tachy_os_file_lock(&file));
  CHECK(tachy_os_file_resize(&file, PART) && tachy_os_file_back(&file, 0, PART));
  char *const memory = tachy_os_file_map(&file, 0, PART);
  CHECK(memory != NULL);
  memcpy(memory, "still here", 10);
  printf("held\n");
  fflush(stdout);
  for (;;) tachy_os_sleep(1000000000);
}

static void take(const char *path) {
  tachy_os_file file;
  char text[11] = {0};
  CHECK(tachy_os_file_open(&file, path, TACHY_OS_EXISTING));
  const int got = tachy_os_file_lock(&file);
  CHECK(tachy_os_file_read(&file, 0, text, 10)); /* also while another process has the lock */
  printf("%s: %s\n", got ? "free" : "taken", text);
  tachy_os_file_close(&file);
}

static void tell_facts(void) {
  static const tachy_os_fact facts[] = {TACHY_OS_EXE,      TACHY_OS_USERNAME, TACHY_OS_REALNAME,
                                        TACHY_OS_COMPUTER, TACHY_OS_DISTRO,   TACHY_OS_CPU};
  char text[512];
  for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
    tachy_os_describe(facts[i], text, sizeof text);
    printf("%s\n", text);
  }
  tachy_os_describe(TACHY_OS_CPU, text, 4);
  CHECK(strlen(text) <= 3);
  const uint64_t before = tachy_os_monotonic();
  tachy_os_sleep(2000000);
  CHECK(tachy_os_monotonic() >= before + 2000000);
  const int64_t utc = tachy_os_utc() / 1000000000;
  CHECK(utc - (int64_t)time(NULL) <= 1 && (int64_t)time(NULL) - utc <= 1);
  uint8_t a[16] = {0}, b[16] = {0};
  CHECK(tachy_os_random(a, sizeof a) && tachy_os_random(b, sizeof b) && memcmp(a, b, sizeof a) != 0);
}

int main(int argc, char **argv) {
  CHECK(argc >= 2);
  const char *const what = argv[1];
  if (strcmp(what, "facts") == 0) {
    tell_facts();
    return 0;
  }
  CHECK(argc == 3);
  if (strcmp(what, "files") == 0) {
    check_files(argv[2]);
  } else if (strcmp(what, "hold") == 0) {
    hold(argv[2]);
  } else if (strcmp(what, "take") == 0) {
    take(argv[2]);
  } else {
    CHECK(strcmp(what, "environment") == 0);
    char value[256];
    const int found = tachy_os_environment(argv[2], value, sizeof value);
    printf("%s\n", found ? value : "none");
  }
  return 0;
}
