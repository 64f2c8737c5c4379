// FMemory: malloc, counted (unreal_shim::Allocations), so that a test can say "nothing was allocated".
#pragma once
#include <string.h>

#include "CoreTypes.h"

enum { DEFAULT_ALIGNMENT = 0 };
struct CORE_API FMemory {
  static void *Malloc(SIZE_T Count, uint32 Alignment = DEFAULT_ALIGNMENT);
  static void Free(void *Original);
  static void *Memcpy(void *Dest, const void *Src, SIZE_T Count) { return Count ? memcpy(Dest, Src, Count) : Dest; }
  static int32 Memcmp(const void *A, const void *B, SIZE_T Count) { return Count ? memcmp(A, B, Count) : 0; }
  static void *Memset(void *Dest, uint8 Char, SIZE_T Count) { return Count ? memset(Dest, Char, Count) : Dest; }
  static void *Memzero(void *Dest, SIZE_T Count) { return Memset(Dest, 0, Count); }
  template <typename T>
  static void Memcpy(T &Dest, const T &Src) {
    memcpy(static_cast<void *>(&Dest), &Src, sizeof(T));
  }
  template <typename T>
  static void Memzero(T &Dest) {
    memset(static_cast<void *>(&Dest), 0, sizeof(T));
  }
};
namespace unreal_shim {
CORE_API uint64 Allocations();  // by FMemory since the start: engine containers and strings
}
