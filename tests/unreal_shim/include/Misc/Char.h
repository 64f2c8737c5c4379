// FChar and FCString: characters and zero-terminated texts.
#pragma once
#include "CoreTypes.h"

template <typename C>
struct TChar {
  static C ToLower(C X) { return X >= C('A') && X <= C('Z') ? C(X + 32) : X; }
  static C ToUpper(C X) { return X >= C('a') && X <= C('z') ? C(X - 32) : X; }
  static bool IsDigit(C X) { return X >= C('0') && X <= C('9'); }
  static bool IsAlpha(C X) { return ToLower(X) >= C('a') && ToLower(X) <= C('z'); }
  static bool IsAlnum(C X) { return IsAlpha(X) || IsDigit(X); }
  static bool IsWhitespace(C X) { return X == C(' ') || (X >= C(9) && X <= C(13)); }
};
using FChar = TChar<TCHAR>;
