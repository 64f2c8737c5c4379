// FString.
#include "Containers/UnrealString.h"
#include "Misc/StringBuilder.h"

FString::FString(const ANSICHAR *S) : FString(FAnsiStringView(S)) {}
FString::FString(const UTF8CHAR *S) : FString(FUtf8StringView(S)) {}
FString::FString(FAnsiStringView V) {
  const auto Text = StringCast<TCHAR>(V.GetData(), V.Len());
  Append(Text.Get(), Text.Length());
}
FString::FString(FUtf8StringView V) {
  const auto Text = StringCast<TCHAR>(V.GetData(), V.Len());
  Append(Text.Get(), Text.Length());
}
FString &FString::Append(FStringView V) {
  if (V.IsEmpty()) return *this;
  if (V.GetData() >= Data.begin() && V.GetData() < Data.end()) return Append(FString(V));  // a piece of itself
  const int32 Old = Len();
  Data.SetNumUninitialized(Old + V.Len() + 1);
  FMemory::Memcpy(Data.GetData() + Old, V.GetData(), SIZE_T(V.Len()) * sizeof(TCHAR));
  Data.Last() = TCHAR(0);
  return *this;
}
FString &FString::operator/=(const TCHAR *S) {
  if (Len() && (*this)[Len() - 1] != TCHAR('/') && *S != TCHAR('/')) AppendChar(TCHAR('/'));
  return Append(S);
}
void FString::RemoveAt(int32 At, int32 N) { *this = Left(At) + Mid(At + N); }
bool FString::RemoveFromEnd(const FString &S, ESearchCase::Type Case) {
  if (S.IsEmpty() || !EndsWith(S, Case)) return false;
  *this = LeftChop(S.Len());
  return true;
}
FString FString::ToLower() const {
  FString Result(*this);
  for (TCHAR &X : Result) X = FChar::ToLower(X);
  return Result;
}
FString FString::ToUpper() const {
  FString Result(*this);
  for (TCHAR &X : Result) X = FChar::ToUpper(X);
  return Result;
}
FString FString::TrimEnd() const {
  int32 N = Len();
  while (N && FChar::IsWhitespace((*this)[N - 1])) --N;
  return Left(N);
}
FString FString::TrimQuotes(bool *bRemoved) const {
  const bool bQuoted = Len() >= 2 && (*this)[0] == TCHAR('"') && (*this)[Len() - 1] == TCHAR('"');
  if (bRemoved) *bRemoved = bQuoted;
  return bQuoted ? Mid(1, Len() - 2) : *this;
}
FString FString::Replace(const TCHAR *From, const TCHAR *To, ESearchCase::Type Case) const {
  FString Result(*this);
  Result.ReplaceInline(From, To, Case);
  return Result;
}
int32 FString::ReplaceInline(const TCHAR *From, const TCHAR *To, ESearchCase::Type Case) {
  const FStringView What(From);
  int32 Replaced = 0;
  FString Result;
  for (FStringView Rest = View(); !Rest.IsEmpty();) {
    const int32 At = What.IsEmpty() ? INDEX_NONE : Rest.Find(What, 0, Case);
    if (At == INDEX_NONE) {
      Result.Append(Rest);
      break;
    }
    Result.Append(Rest.Left(At)).Append(To);
    Rest = Rest.RightChop(At + What.Len());
    ++Replaced;
  }
  *this = MoveTemp(Result);
  return Replaced;
}
int32 FString::Find(FStringView S, ESearchCase::Type Case, ESearchDir::Type Dir, int32 From) const {
  if (Dir == ESearchDir::FromStart) return View().Find(S, From == INDEX_NONE ? 0 : From, Case);
  for (int32 I = (From == INDEX_NONE ? Len() : From) - S.Len(); I >= 0; --I)
    if (View().Mid(I, S.Len()).Equals(S, Case)) return I;
  return INDEX_NONE;
}
bool FString::FindLastChar(TCHAR X, int32 &At) const {
  for (At = Len() - 1; At >= 0; --At)
    if ((*this)[At] == X) return true;
  At = INDEX_NONE;
  return false;
}
bool FString::Split(const FString &At, FString *OutLeft, FString *OutRight, ESearchCase::Type Case,
                    ESearchDir::Type Dir) const {
  const int32 I = Find(At, Case, Dir);
  if (I == INDEX_NONE) return false;
  const FString A = Left(I), B = Mid(I + At.Len());
  if (OutLeft) *OutLeft = A;
  if (OutRight) *OutRight = B;
  return true;
}
static bool Matches(FStringView Text, FStringView Pattern, ESearchCase::Type Case) {
  if (Pattern.IsEmpty()) return Text.IsEmpty();
  if (Pattern[0] == TCHAR('*'))
    return Matches(Text, Pattern.RightChop(1), Case) || (!Text.IsEmpty() && Matches(Text.RightChop(1), Pattern, Case));
  if (Text.IsEmpty() || (Pattern[0] != TCHAR('?') && !Text.Left(1).Equals(Pattern.Left(1), Case))) return false;
  return Matches(Text.RightChop(1), Pattern.RightChop(1), Case);
}
int32 FString::ParseIntoArray(TArray<FString> &Out, const TCHAR *Delimiter, bool bCullEmpty) const {
  return ParseIntoArray(Out, &Delimiter, 1, bCullEmpty);
}
int32 FString::ParseIntoArray(TArray<FString> &Out, const TCHAR *const *Delimiters, int32 NumDelimiters,
                              bool bCullEmpty) const {
  Out.Reset();
  if (IsEmpty()) return 0;
  int32 Begin = 0;
  for (int32 I = 0; I <= Len();) {
    int32 Skip = I == Len() ? 1 : 0;
    for (int32 D = 0; D < NumDelimiters && !Skip; ++D)
      if (View().Mid(I).StartsWith(FStringView(Delimiters[D]))) Skip = FCString::Strlen(Delimiters[D]);
    if (!Skip) {
      ++I;
      continue;
    }
    if (I > Begin || !bCullEmpty) Out.Add(Mid(Begin, I - Begin));
    I += Skip;
    Begin = I;
  }
  return Out.Num();
}
int32 FString::ParseIntoArrayLines(TArray<FString> &Out, bool bCullEmpty) const {
  const TCHAR *Ends[] = {TEXT("\r\n"), TEXT("\r"), TEXT("\n")};
  return ParseIntoArray(Out, Ends, 3, bCullEmpty);
}
FString FString::FromInt(int32 N) { return Printf(TEXT("%d"), N); }
FString FString::ChrN(int32 N, TCHAR X) {
  FString Text;
  for (int32 I = 0; I < N; ++I) Text.AppendChar(X);
  return Text;
}
FString LexToString(uint32 V) { return FString::Printf(TEXT("%u"), V); }
FString LexToString(int64 V) { return FString::Printf(TEXT("%lld"), V); }
FString LexToString(uint64 V) { return FString::Printf(TEXT("%llu"), V); }
FString LexToString(float V) { return FString::Printf(TEXT("%f"), V); }
FString LexToString(double V) { return FString::Printf(TEXT("%f"), V); }
FString &unreal_shim::FormatBuffer() {
  static thread_local FString Buffer;
  return Buffer;
}
