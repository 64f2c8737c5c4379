#pragma once
#include "CoreTypes.h"

struct CORE_API FCrc {
  static uint32 MemCrc32(const void *Data, int32 Length, uint32 Crc = 0);
  static uint32 StrCrc32(const TCHAR *Text, uint32 Crc = 0);
};
