/* UTF-8 and UTF-16, and functions that not every Windows has. */
#include <wchar.h>

#include "../os.h"
#include "system.h"

int tachy_os_to_wide(const char *text, wchar_t *wide, int size) {
  return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, size) > 0;
}

void tachy_os_to_utf8(const wchar_t *wide, char *text, size_t size) {
  if (size == 0) return;
  const size_t room = size - 1 < 65536 ? size - 1 : 65536;
  size_t length = wcslen(wide);
  if (length > room) length = room; /* a unit is a byte at least */
  int made = 0;
  for (; length > 0 && made == 0; length--) {
    if (IS_HIGH_SURROGATE(wide[length - 1])) continue; /* half a character */
    made = WideCharToMultiByte(CP_UTF8, 0, wide, (int)length, text, (int)room, NULL, NULL);
  }
  text[made] = 0;
}

tachy_os_function tachy_os_find(const char *name) {
  const HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
  return kernel ? (tachy_os_function)GetProcAddress(kernel, name) : NULL;
}
