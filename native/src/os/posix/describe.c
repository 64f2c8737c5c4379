/* What POSIX says about the machine, the user and the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#include <pwd.h>
#include <sys/sysctl.h>
#endif

#include "../os.h"

static void copy(char *text, size_t size, const char *from, size_t length) {
  if (length >= size) length = size - 1;
  memcpy(text, from, length);
  text[length] = 0;
}

#if defined(__APPLE__)
static void read_kernel(const char *name, char *text, size_t size) {
  if (sysctlbyname(name, text, &size, NULL, 0) != 0) text[0] = 0;
}

static void read_exe(char *text, size_t size) {
  uint32_t room = (uint32_t)size;
  if (_NSGetExecutablePath(text, &room) != 0) text[0] = 0;
}

static void read_distro(char *text, size_t size) {
  char version[64];
  read_kernel("kern.osproductversion", version, sizeof version);
  snprintf(text, size, "macOS %s", version);
}

static void read_cpu(char *text, size_t size) { read_kernel("machdep.cpu.brand_string", text, size); }
#else
/* The value of the first line `key`, separator, value; quotes and blanks around the value are removed. */
static void read_value(const char *path, const char *key, char separator, char *text, size_t size) {
  FILE *const file = fopen(path, "re");
  if (!file) return;
  char line[1024];
  while (fgets(line, sizeof line, file)) {
    if (strncmp(line, key, strlen(key)) != 0) continue;
    const char *value = strchr(line, separator);
    if (!value) continue;
    value++;
    value += strspn(value, " \t\"");
    size_t length = strcspn(value, "\"\n");
    while (length > 0 && value[length - 1] == ' ') length--;
    copy(text, size, value, length);
    break;
  }
  fclose(file);
}

static void read_exe(char *text, size_t size) {
  const ssize_t length = readlink("/proc/self/exe", text, size - 1);
  text[length > 0 ? length : 0] = 0;
}

static void read_distro(char *text, size_t size) { read_value("/etc/os-release", "PRETTY_NAME", '=', text, size); }

static void read_cpu(char *text, size_t size) { read_value("/proc/cpuinfo", "model name", ':', text, size); }
#endif

#if defined(__APPLE__)
static void read_user(tachy_os_fact fact, char *text, size_t size) {
  struct passwd entry;
  struct passwd *found = NULL;
  char memory[4096];
  if (getpwuid_r(getuid(), &entry, memory, sizeof memory, &found) != 0 || !found) return;
  const char *const value = fact == TACHY_OS_USERNAME ? found->pw_name : found->pw_gecos;
  if (value) copy(text, size, value, fact == TACHY_OS_REALNAME ? strcspn(value, ",") : strlen(value));
}
#else
/* The part of `line` behind so many colons; its length up to the next. NULL: there are not so many. */
static const char *field(const char *line, unsigned colons, size_t *length) {
  while (line && colons-- > 0) {
    line = strchr(line, ':');
    if (line) line++;
  }
  if (line) *length = strcspn(line, ":\n");
  return line;
}

/* From /etc/passwd, or the name that the environment has. getpwuid_r would load modules into the program, ask a
 * directory over the network, and with hardly any memory glibc's aborts. */
static void read_user(tachy_os_fact fact, char *text, size_t size) {
  char line[1024];
  char wanted[24];
  size_t length = 0;
  snprintf(wanted, sizeof wanted, "%lu:", (unsigned long)getuid());
  FILE *const file = fopen("/etc/passwd", "re");
  int found = 0;
  while (file && !found && fgets(line, sizeof line, file)) {
    const char *const number = field(line, 2, &length);
    found = number && strncmp(number, wanted, strlen(wanted)) == 0;
  }
  if (file) fclose(file);
  const char *value = found ? field(line, fact == TACHY_OS_USERNAME ? 0 : 4, &length) : NULL;
  if (!found && fact == TACHY_OS_USERNAME) {
    value = getenv("USER") ? getenv("USER") : getenv("LOGNAME");
    length = value ? strlen(value) : 0;
  }
  if (!value) return;
  const size_t name = strcspn(value, ",");
  copy(text, size, value, fact == TACHY_OS_REALNAME && name < length ? name : length);
}
#endif

void tachy_os_describe(tachy_os_fact fact, char *text, size_t size) {
  if (size == 0) return;
  text[0] = 0;
  switch (fact) {
    case TACHY_OS_EXE:
      read_exe(text, size);
      break;
    case TACHY_OS_USERNAME:
    case TACHY_OS_REALNAME:
      read_user(fact, text, size);
      break;
    case TACHY_OS_COMPUTER:
      if (gethostname(text, size) != 0) text[0] = 0;
      text[size - 1] = 0;
      break;
    case TACHY_OS_DISTRO:
      read_distro(text, size);
      break;
    case TACHY_OS_CPU:
      read_cpu(text, size);
      break;
  }
}

void tachy_os_complain(const char *line) {
  char text[1400];
  const int length = snprintf(text, sizeof text, "tachy: %s\n", line);
  const size_t size = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
  if (write(STDERR_FILENO, text, size) < 0) return; /* closed: nobody wants to know */
}

void tachy_os_fail(const char *line) {
  tachy_os_complain(line);
  abort();
}

int tachy_os_environment(const char *name, char *text, size_t size) {
  const char *const value = getenv(name);
  copy(text, size, value ? value : "", value ? strlen(value) : 0);
  return value != NULL;
}
