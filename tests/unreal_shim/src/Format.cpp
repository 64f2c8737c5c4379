// FString::Printf. An argument that does not fit its specifier ends the program: in the engine that is undefined.
#include <stdio.h>
#include <stdlib.h>

#include "Containers/UnrealString.h"

namespace {
using unreal_shim::FFormatArgument;
struct FSpec {
  char Text[32];  // "%-08.3", without length and type
  int32 Count = 0;
  int32 Width = -1, Precision = -1;
  bool bLeft = false;
};
[[noreturn]] void Misfit(const TCHAR *Format, const char *Why) {
  fprintf(stderr, "unreal_shim: FString::Printf(\"%s\"): %s\n", TCHAR_TO_UTF8(Format), Why);
  abort();
}
void Add(FString &Out, const FSpec &Spec, const char *Type, auto Value) {
  char Format[48];
  char Buffer[400];
  snprintf(Format, sizeof Format, "%.*s%s", Spec.Count, Spec.Text, Type);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
  const int N = snprintf(Buffer, sizeof Buffer, Format, Value);
#pragma GCC diagnostic pop
  Out.Append(FString(FAnsiStringView(Buffer, N < int(sizeof Buffer) ? N : int(sizeof Buffer) - 1)));
}
void AddText(FString &Out, const FSpec &Spec, FString Text) {
  if (Spec.Precision >= 0) Text.LeftInline(Spec.Precision);
  const FString Pad = FString::ChrN(Spec.Width > Text.Len() ? Spec.Width - Text.Len() : 0, TCHAR(' '));
  if (!Spec.bLeft) Out.Append(Pad);
  Out.Append(Text);
  if (Spec.bLeft) Out.Append(Pad);
}
FString TextOf(const TCHAR *Format, const FFormatArgument &A) {
  if (!A.Address) return FString(TEXT("(null)"));
  if (A.Kind == FFormatArgument::Text) return FString(static_cast<const TCHAR *>(A.Address));
  if (A.Kind == FFormatArgument::Ansi) return FString(static_cast<const ANSICHAR *>(A.Address));
  if (A.Kind == FFormatArgument::Utf8) return FString(static_cast<const UTF8CHAR *>(A.Address));
  Misfit(Format, "%s needs a text");
}
}  // namespace

FString &FString::AppendFormat(const TCHAR *Format, const FFormatArgument *Args, int32 NumArgs) {
  int32 Next = 0;
  const auto Take = [&]() -> const FFormatArgument & {
    if (Next == NumArgs) Misfit(Format, "too few arguments");
    return Args[Next++];
  };
  for (const TCHAR *P = Format; *P;) {
    const TCHAR *Plain = P;
    while (*P && *P != TCHAR('%')) ++P;
    Append(FStringView(Plain, int32(P - Plain)));
    if (!*P++) break;
    if (*P == TCHAR('%')) {
      AppendChar(*P++);
      continue;
    }
    FSpec Spec;
    const auto Keep = [&](char X) {
      if (Spec.Count < int32(sizeof Spec.Text) - 12) Spec.Text[Spec.Count++] = X;
    };
    const auto Number = [&]() {
      int32 N = 0;
      if (*P == TCHAR('*')) {
        N = int32(Take().Integer);
        ++P;
        Spec.Count += snprintf(Spec.Text + Spec.Count, 12, "%d", N);
        return N;
      }
      for (; FChar::IsDigit(*P); ++P) {
        N = N * 10 + int32(*P - TCHAR('0'));
        Keep(char(*P));
      }
      return N;
    };
    Keep('%');
    for (; *P && FCString::Strchr(TEXT("-+ #0"), *P); ++P) {
      Spec.bLeft = Spec.bLeft || *P == TCHAR('-');
      Keep(char(*P));
    }
    Spec.Width = Number();
    if (*P == TCHAR('.')) {
      Keep('.');
      ++P;
      Spec.Precision = Number();
    }
    int32 Long = 0, Half = 0;
    for (; *P && FCString::Strchr(TEXT("lhzjtqLI"), *P); ++P) {
      if (*P == TCHAR('l')) ++Long;
      if (*P == TCHAR('h')) ++Half;
      if (*P == TCHAR('z') || *P == TCHAR('j') || *P == TCHAR('t') || *P == TCHAR('q')) Long = 2;
      if (*P == TCHAR('I') && P[1] == TCHAR('6') && P[2] == TCHAR('4')) Long = 2, P += 2;
    }
    const char Type = char(*P);
    if (Type) ++P;
    const FFormatArgument &A = Take();
    const bool bNumber = A.Kind == FFormatArgument::Signed || A.Kind == FFormatArgument::Unsigned;
    switch (Type) {
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o': {
        if (!bNumber) Misfit(Format, "an integer is wanted");
        if (A.Size == 8 && Long == 0) Misfit(Format, "64 bits need ll");
        if (A.Size < 8 && Long >= 2) Misfit(Format, "ll needs 64 bits");
        const char Full[] = {'l', 'l', Type, 0};
        const bool bUnsigned = Type != 'd' && Type != 'i';
        if (bUnsigned && A.Size < 8)
          Add(*this, Spec, Full, static_cast<unsigned long long>(uint32(A.Integer)));
        else
          Add(*this, Spec, Full, A.Size < 8 ? int64(int32(A.Integer)) : A.Integer);
        break;
      }
      case 'f':
      case 'F':
      case 'g':
      case 'G':
      case 'e':
      case 'E':
      case 'a': {
        if (A.Kind != FFormatArgument::Float) Misfit(Format, "a floating-point number is wanted");
        const char Full[] = {Type, 0};
        Add(*this, Spec, Full, A.Number);
        break;
      }
      case 'c':
        AddText(*this, Spec, FString::Chr(TCHAR(A.Integer)));
        break;
      case 'p':
        Add(*this, Spec, "p", A.Address);
        break;
      case 's':
      case 'S':
        if (A.Address && A.Kind == FFormatArgument::Ansi && !Half && Type == 's')
          Misfit(Format, "%s needs TCHARs; ANSI is %hs or %S");
        if (A.Address && A.Kind == FFormatArgument::Text && (Half || Type == 'S'))
          Misfit(Format, "%hs and %S need ANSI");
        AddText(*this, Spec, TextOf(Format, A));
        break;
      default:
        Misfit(Format, "unknown specifier");
    }
  }
  if (Next != NumArgs) Misfit(Format, "too many arguments");
  return *this;
}
