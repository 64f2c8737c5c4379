/* Folders on Windows, for the user alone. */
#include <string.h>
#include <wchar.h>

#include "../os.h"
#include "system.h"

/* Who the process is, or, with TokenOwner, who its files belong to (an administrator's: all administrators). */
static PSID read_token(TOKEN_INFORMATION_CLASS what, void *memory, DWORD size) {
  HANDLE token;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return NULL;
  const BOOL ok = GetTokenInformation(token, what, memory, size, &size);
  CloseHandle(token);
  if (!ok) return NULL;
  return what == TokenUser ? ((const TOKEN_USER *)memory)->User.Sid : ((const TOKEN_OWNER *)memory)->Owner;
}

/* The user and the system may do everything there, nobody else anything. NULL: could not; else for LocalFree. */
static PSECURITY_DESCRIPTOR make_private(void) {
  _Alignas(16) unsigned char memory[512];
  wchar_t *name = NULL;
  const PSID user = read_token(TokenUser, memory, sizeof memory);
  if (!user || !ConvertSidToStringSidW(user, &name)) return NULL;
  wchar_t text[256] = L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;";
  PSECURITY_DESCRIPTOR made = NULL;
  if (wcslen(name) < 200) {
    wcscat(wcscat(text, name), L")");
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, &made, NULL)) made = NULL;
  }
  LocalFree(name);
  return made;
}

/* Not a link, and nobody else's: names in a folder for temporary files can be foreseen. */
static int is_ours(wchar_t *path) {
  const DWORD about = GetFileAttributesW(path);
  if (about == INVALID_FILE_ATTRIBUTES || !(about & FILE_ATTRIBUTE_DIRECTORY)) return 0;
  if (about & FILE_ATTRIBUTE_REPARSE_POINT) return 0;
  PSID owner = NULL;
  PSECURITY_DESCRIPTOR security = NULL;
  if (GetNamedSecurityInfoW(path, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, &security) !=
      ERROR_SUCCESS) {
    return 0;
  }
  _Alignas(16) unsigned char memory[512];
  PSID us = read_token(TokenUser, memory, sizeof memory);
  int ours = us && EqualSid(us, owner);
  if (!ours) {
    us = read_token(TokenOwner, memory, sizeof memory);
    ours = us && EqualSid(us, owner);
  }
  LocalFree(security);
  return ours;
}

int tachy_os_folder(const char *path) {
  wchar_t wide[TACHY_OS_PATH_MAX];
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return 0;
  const PSECURITY_DESCRIPTOR security = make_private();
  if (!security) return 0;
  SECURITY_ATTRIBUTES attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.nLength = sizeof attributes;
  attributes.lpSecurityDescriptor = security;
  const int made = CreateDirectoryW(wide, &attributes) || GetLastError() == ERROR_ALREADY_EXISTS;
  LocalFree(security);
  return made && is_ours(wide);
}

int tachy_os_folder_list(const char *path, void (*function)(void *, const char *), void *context) {
  wchar_t wide[TACHY_OS_PATH_MAX + 2];
  char name[3 * MAX_PATH];
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return 0;
  wcscat(wide, L"/*");
  WIN32_FIND_DATAW found;
  const HANDLE search = FindFirstFileW(wide, &found);
  if (search == INVALID_HANDLE_VALUE) return 0;
  do {
    tachy_os_to_utf8(found.cFileName, name, sizeof name);
    if (name[0] != '.') function(context, name);
  } while (FindNextFileW(search, &found));
  FindClose(search);
  return 1;
}

/* The user's own folder for temporary files; Windows has none in memory. */
int tachy_os_session_folder(unsigned choice, char *path, size_t size) {
  static const wchar_t name[] = L"tachy";
  wchar_t wide[TACHY_OS_PATH_MAX];
  if (choice > 0) return 0;
  if (size) path[0] = 0;
  const DWORD length = GetTempPathW(TACHY_OS_PATH_MAX, wide); /* ends in a backslash */
  if (length == 0 || length + sizeof name / sizeof name[0] > TACHY_OS_PATH_MAX) return 1;
  wcscat(wide, name);
  if (wcslen(wide) * 3 < size) tachy_os_to_utf8(wide, path, size);
  return 1;
}

/* A file that nobody else can open, and that goes when it is closed; names with a dot are not listed. */
int tachy_os_folder_lock(tachy_os_file *lock, const char *path) {
  wchar_t wide[TACHY_OS_PATH_MAX + 8];
  *lock = INVALID_HANDLE_VALUE;
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return 0;
  wcscat(wide, L"/.lock");
  *lock = CreateFileW(wide, GENERIC_WRITE, 0, NULL, OPEN_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
  return *lock != INVALID_HANDLE_VALUE;
}

void tachy_os_folder_unlock(tachy_os_file *lock) { tachy_os_file_close(lock); }

uint64_t tachy_os_folder_free(const char *path) {
  wchar_t wide[TACHY_OS_PATH_MAX];
  ULARGE_INTEGER available;
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return UINT64_MAX;
  if (!GetDiskFreeSpaceExW(wide, &available, NULL, NULL)) return UINT64_MAX;
  return available.QuadPart;
}
