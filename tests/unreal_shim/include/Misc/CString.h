#pragma once
#include <stdlib.h>
#include <string.h>

#include "Misc/Char.h"

namespace unreal_shim {
CORE_API double ParseDouble(const TCHAR *S);
CORE_API int64 ParseInteger(const TCHAR *S, TCHAR **End, int32 Base);
inline double ParseDouble(const ANSICHAR *S) { return atof(S); }
inline int64 ParseInteger(const ANSICHAR *S, ANSICHAR **End, int32 Base) { return strtoll(S, End, Base); }
}  // namespace unreal_shim

template <typename C>
struct TCString {
  static int32 Strlen(const C *S) {
    if constexpr (sizeof(C) == 1) return int32(strlen(S));  // as the engine has it: compilers know it
    int32 N = 0;
    while (S[N]) ++N;
    return N;
  }
  static int32 Strncmp(const C *A, const C *B, SIZE_T N) {
    for (; N; ++A, ++B, --N)
      if (*A != *B || !*A) return int32(*A) - int32(*B);
    return 0;
  }
  static int32 Stricmp(const C *A, const C *B) { return Strnicmp(A, B, ~SIZE_T(0)); }
  static int32 Strnicmp(const C *A, const C *B, SIZE_T N) {
    for (; N; ++A, ++B, --N) {
      const C X = TChar<C>::ToLower(*A), Y = TChar<C>::ToLower(*B);
      if (X != Y || !X) return int32(X) - int32(Y);
    }
    return 0;
  }
  static const C *Strchr(const C *S, C X) {
    for (;; ++S) {
      if (*S == X) return S;
      if (!*S) return nullptr;
    }
  }
  static C *Strncpy(C *Dest, const C *Src, SIZE_T Size) {
    SIZE_T I = 0;
    for (; I + 1 < Size && Src[I]; ++I) Dest[I] = Src[I];
    if (Size) Dest[I] = 0;
    return Dest;
  }
  static C *Strcpy(C *Dest, const C *Src) { return Strncpy(Dest, Src, ~SIZE_T(0)); }
  template <SIZE_T N>
  static C *Strcpy(C (&Dest)[N], const C *Src) {
    return Strncpy(Dest, Src, N);
  }
  static int32 Atoi(const C *S) { return int32(unreal_shim::ParseInteger(S, nullptr, 10)); }
  static int64 Atoi64(const C *S) { return unreal_shim::ParseInteger(S, nullptr, 10); }
  static float Atof(const C *S) { return float(unreal_shim::ParseDouble(S)); }
  static double Atod(const C *S) { return unreal_shim::ParseDouble(S); }
  static uint64 Strtoui64(const C *S, C **End, int32 Base) { return uint64(unreal_shim::ParseInteger(S, End, Base)); }
  static bool IsNumeric(const C *S) {
    if (*S == C('-') || *S == C('+')) ++S;
    bool bDigit = false;
    for (; *S; ++S) {
      if (!TChar<C>::IsDigit(*S) && *S != C('.')) return false;
      bDigit = bDigit || *S != C('.');
    }
    return bDigit;
  }
  static bool ToBool(const C *S) {
    const C True[] = {'t', 'r', 'u', 'e', 0}, Yes[] = {'y', 'e', 's', 0}, On[] = {'o', 'n', 0};
    return !Stricmp(S, True) || !Stricmp(S, Yes) || !Stricmp(S, On) || Atoi(S) != 0;
  }
};
using FCString = TCString<TCHAR>;
using FCStringAnsi = TCString<ANSICHAR>;
