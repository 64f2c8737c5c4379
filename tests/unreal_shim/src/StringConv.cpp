// UTF-8 to TCHAR and back; numbers out of TCHARs.
#include "Containers/StringConv.h"

#include <stdlib.h>

namespace {
template <typename T>
struct TOut {
  T *Dest;
  int32 Size, Count = 0;
  void Put(uint32 X) {
    if (Count < Size) Dest[Count] = T(X);
    ++Count;
  }
};
uint32 NextUtf8(const ANSICHAR *&P, const ANSICHAR *End) {
  const uint8 First = uint8(*P++);
  if (First < 0x80) return First;
  const int32 More = First >= 0xf0 && First < 0xf5   ? 3
                     : First >= 0xe0 && First < 0xf0 ? 2
                     : First >= 0xc2 && First < 0xe0 ? 1
                                                     : 0;
  if (More == 0) return 0xfffd;
  uint32 Code = First & (0x3f >> More);
  for (int32 I = 0; I < More; ++I) {
    if (P == End || (uint8(*P) & 0xc0) != 0x80) return 0xfffd;
    Code = Code << 6 | (uint8(*P++) & 0x3f);
  }
  const uint32 Least = More == 3 ? 0x10000 : More == 2 ? 0x800 : 0x80;
  return Code < Least || Code > 0x10ffff || (Code >= 0xd800 && Code < 0xe000) ? 0xfffd : Code;
}
}  // namespace

int32 unreal_shim::Convert(ANSICHAR *Dest, int32 Size, const TCHAR *Src, int32 N, bool bUtf8) {
  TOut<ANSICHAR> Out{Dest, Size};
  for (int32 I = 0; I < N; ++I) {
    uint32 X = uint32(Src[I]);
    if constexpr (sizeof(TCHAR) == 2) {
      const bool bPair =
          X >= 0xd800 && X < 0xdc00 && I + 1 < N && uint32(Src[I + 1]) >= 0xdc00 && uint32(Src[I + 1]) < 0xe000;
      if (bPair) X = 0x10000 + ((X - 0xd800) << 10) + (uint32(Src[++I]) - 0xdc00);
    }
    if (X > 0x10ffff || (X >= 0xd800 && X < 0xe000)) X = 0xfffd;
    if (X < 0x80) {
      Out.Put(X);
    } else if (!bUtf8) {
      Out.Put('?');
    } else if (X < 0x800) {
      Out.Put(0xc0 | X >> 6), Out.Put(0x80 | (X & 0x3f));
    } else if (X < 0x10000) {
      Out.Put(0xe0 | X >> 12), Out.Put(0x80 | (X >> 6 & 0x3f)), Out.Put(0x80 | (X & 0x3f));
    } else {
      Out.Put(0xf0 | X >> 18), Out.Put(0x80 | (X >> 12 & 0x3f)), Out.Put(0x80 | (X >> 6 & 0x3f)),
          Out.Put(0x80 | (X & 0x3f));
    }
  }
  return Out.Count;
}

int32 unreal_shim::Convert(TCHAR *Dest, int32 Size, const ANSICHAR *Src, int32 N, bool bUtf8) {
  TOut<TCHAR> Out{Dest, Size};
  for (const ANSICHAR *P = Src, *End = Src + N; P != End;) {
    const uint32 X = bUtf8 ? NextUtf8(P, End) : uint32(uint8(*P++));
    if (sizeof(TCHAR) == 2 && X >= 0x10000) {
      Out.Put(0xd800 + ((X - 0x10000) >> 10)), Out.Put(0xdc00 + ((X - 0x10000) & 0x3ff));
    } else {
      Out.Put(X);
    }
  }
  return Out.Count;
}

double unreal_shim::ParseDouble(const TCHAR *S) {
  const TConversion<ANSICHAR, TCHAR, false> Ansi(S);
  return strtod(Ansi.Get(), nullptr);
}
int64 unreal_shim::ParseInteger(const TCHAR *S, TCHAR **End, int32 Base) {
  const TConversion<ANSICHAR, TCHAR, false> Ansi(S);
  char *Stop = nullptr;
  int64 Value = strtoll(Ansi.Get(), &Stop, Base);
  if (Value == 0x7fffffffffffffffll) Value = int64(strtoull(Ansi.Get(), &Stop, Base));
  if (End) *End = const_cast<TCHAR *>(S) + (Stop - Ansi.Get());
  return Value;
}
