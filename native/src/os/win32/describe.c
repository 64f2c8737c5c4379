/* What Windows says about the machine, the user and the program. */
#include <string.h>
#include <wchar.h>

#include "../os.h"
#include "system.h"

static void read_exe(char *text, size_t size) {
  wchar_t path[TACHY_OS_PATH_MAX];
  const DWORD length = GetModuleFileNameW(NULL, path, TACHY_OS_PATH_MAX);
  if (length > 0 && length < TACHY_OS_PATH_MAX) tachy_os_to_utf8(path, text, size);
}

/* A text of the registry, of the machine; "" when it is not there. */
static void read_registry(const wchar_t *key, const wchar_t *name, wchar_t *text, DWORD size) {
  DWORD bytes = size * (DWORD)sizeof *text;
  text[0] = 0;
  if (RegGetValueW(HKEY_LOCAL_MACHINE, key, name, RRF_RT_REG_SZ, NULL, text, &bytes) != ERROR_SUCCESS) text[0] = 0;
}

/* "Windows 10 Pro, build 22631": the build says Windows 11, whose product name does not. */
static void read_product(char *text, size_t size) {
  static const wchar_t key[] = L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";
  static const wchar_t between[] = L", build ";
  wchar_t name[256];
  wchar_t build[64];
  read_registry(key, L"ProductName", name, 128);
  read_registry(key, L"CurrentBuildNumber", build, 64);
  if (name[0] && build[0]) {
    wcscat(name, between);
    wcscat(name, build);
  }
  tachy_os_to_utf8(name, text, size);
}

void tachy_os_describe(tachy_os_fact fact, char *text, size_t size) {
  wchar_t wide[256];
  DWORD length = 256;
  if (size == 0) return;
  text[0] = 0;
  switch (fact) {
    case TACHY_OS_EXE:
      read_exe(text, size);
      break;
    case TACHY_OS_USERNAME:
      if (GetUserNameW(wide, &length)) tachy_os_to_utf8(wide, text, size);
      break;
    case TACHY_OS_REALNAME:
      break; /* in a domain, asking for it goes over the network */
    case TACHY_OS_COMPUTER:
      if (GetComputerNameExW(ComputerNameDnsHostname, wide, &length)) tachy_os_to_utf8(wide, text, size);
      break;
    case TACHY_OS_DISTRO:
      read_product(text, size);
      break;
    case TACHY_OS_CPU:
      read_registry(L"HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0", L"ProcessorNameString", wide, 256);
      tachy_os_to_utf8(wide, text, size);
      break;
  }
}

/* Not from the C library, which has them in the process' code page. */
int tachy_os_environment(const char *name, char *text, size_t size) {
  wchar_t wide_name[64];
  wchar_t wide[TACHY_OS_PATH_MAX];
  text[0] = 0;
  if (!tachy_os_to_wide(name, wide_name, 64)) return 0;
  SetLastError(ERROR_SUCCESS);
  const DWORD length = GetEnvironmentVariableW(wide_name, wide, TACHY_OS_PATH_MAX);
  if (length >= TACHY_OS_PATH_MAX || (length == 0 && GetLastError() != ERROR_SUCCESS)) return 0;
  wide[length] = 0;
  tachy_os_to_utf8(wide, text, size);
  return 1;
}

void tachy_os_complain(const char *line) {
  const HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
  DWORD done;
  if (!out || out == INVALID_HANDLE_VALUE) return;
  WriteFile(out, "tachy: ", 7, &done, NULL);
  WriteFile(out, line, (DWORD)strlen(line), &done, NULL);
  WriteFile(out, "\r\n", 2, &done, NULL);
}

void tachy_os_fail(const char *line) {
  tachy_os_complain(line);
  abort();
}
