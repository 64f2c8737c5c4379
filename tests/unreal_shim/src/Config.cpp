// GConfig, the command line, FParse.
#include "Internationalization/Text.h"
#include "Misc/CommandLine.h"
#include "Misc/ConfigCacheIni.h"
#include "Misc/FileHelper.h"
#include "Misc/Parse.h"
#include "Misc/ScopeLock.h"

namespace {
struct FKeyValue {
  FString Key, Value;
};
using FSection = TArray<FKeyValue>;
using FFile = TMap<FString, FSection>;
}  // namespace
struct FConfigCacheIni::FState {
  FCriticalSection Mutex;
  TMap<FString, FFile> Files;
  FSection *Find(const TCHAR *Section, const FString &Filename) {
    FFile *File = Files.Find(Filename);
    return File ? File->Find(Section) : nullptr;
  }
  FKeyValue *Find(const TCHAR *Section, const TCHAR *Key, const FString &Filename) {
    FSection *S = Find(Section, Filename);
    if (!S) return nullptr;
    for (int32 I = S->Num(); I-- > 0;)  // the last one wins
      if ((*S)[I].Key == Key) return &(*S)[I];
    return nullptr;
  }
};
FConfigCacheIni::FConfigCacheIni() : State(new FState) {}
FConfigCacheIni::~FConfigCacheIni() { delete State; }

bool FConfigCacheIni::GetString(const TCHAR *Section, const TCHAR *Key, FString &Value, const FString &Filename) {
  const FScopeLock Lock(&State->Mutex);
  const FKeyValue *Found = State->Find(Section, Key, Filename);
  if (Found) Value = Found->Value;
  return Found != nullptr;
}
#define UE_SHIM_GET(Name, Type, Parse)                                                                       \
  bool FConfigCacheIni::Name(const TCHAR *Section, const TCHAR *Key, Type &Value, const FString &Filename) { \
    FString Text;                                                                                            \
    const bool bFound = GetString(Section, Key, Text, Filename);                                             \
    if (bFound) Value = Parse(*Text);                                                                        \
    return bFound;                                                                                           \
  }
UE_SHIM_GET(GetInt, int32, FCString::Atoi)
UE_SHIM_GET(GetFloat, float, FCString::Atof)
UE_SHIM_GET(GetBool, bool, FCString::ToBool)
int32 FConfigCacheIni::GetArray(const TCHAR *Section, const TCHAR *Key, TArray<FString> &Values,
                                const FString &Filename) {
  const FScopeLock Lock(&State->Mutex);
  Values.Empty();
  if (FSection *S = State->Find(Section, Filename))
    for (const FKeyValue &Pair : *S)
      if (Pair.Key == Key) Values.Add(Pair.Value);
  return Values.Num();
}
bool FConfigCacheIni::GetSection(const TCHAR *Section, TArray<FString> &Lines, const FString &Filename) {
  const FScopeLock Lock(&State->Mutex);
  Lines.Empty();
  FSection *S = State->Find(Section, Filename);
  if (S)
    for (const FKeyValue &Pair : *S) Lines.Add(Pair.Key + TEXT("=") + Pair.Value);
  return S != nullptr;
}
void FConfigCacheIni::SetString(const TCHAR *Section, const TCHAR *Key, const TCHAR *Value, const FString &Filename) {
  const FScopeLock Lock(&State->Mutex);
  if (FKeyValue *Found = State->Find(Section, Key, Filename))
    Found->Value = Value;
  else
    State->Files.FindOrAdd(Filename).FindOrAdd(Section).Add({FString(Key), FString(Value)});
}
void FConfigCacheIni::SetInt(const TCHAR *Section, const TCHAR *Key, int32 Value, const FString &Filename) {
  SetString(Section, Key, *FString::FromInt(Value), Filename);
}
void FConfigCacheIni::SetFloat(const TCHAR *Section, const TCHAR *Key, float Value, const FString &Filename) {
  SetString(Section, Key, *LexToString(Value), Filename);
}
void FConfigCacheIni::SetArray(const TCHAR *Section, const TCHAR *Key, const TArray<FString> &Values,
                               const FString &Filename) {
  const FScopeLock Lock(&State->Mutex);
  FSection &S = State->Files.FindOrAdd(Filename).FindOrAdd(Section);
  S.RemoveAll([&](const FKeyValue &Pair) { return Pair.Key == Key; });
  for (const FString &Value : Values) S.Add({FString(Key), Value});
}
bool FConfigCacheIni::RemoveKey(const TCHAR *Section, const TCHAR *Key, const FString &Filename) {
  const FScopeLock Lock(&State->Mutex);
  FSection *S = State->Find(Section, Filename);
  return S && S->RemoveAll([&](const FKeyValue &Pair) { return Pair.Key == Key; }) != 0;
}
void FConfigCacheIni::Flush(bool bRemoveFromCache, const FString &Filename) {
  const FScopeLock Lock(&State->Mutex);
  for (const TPair<FString, FFile> &File : State->Files) {
    if (!File.Key.StartsWith(TEXT("/")) || (!Filename.IsEmpty() && File.Key != Filename)) continue;
    FString Text;
    for (const TPair<FString, FSection> &Section : File.Value) {
      Text += FString::Printf(TEXT("[%s]\n"), *Section.Key);
      for (const FKeyValue &Pair : Section.Value) Text += Pair.Key + TEXT("=") + Pair.Value + TEXT("\n");
    }
    FFileHelper::SaveStringToFile(Text, *File.Key);
  }
  if (bRemoveFromCache) State->Files.Remove(Filename);
}
// "+Key=" adds, "-Key=" removes that value, "!Key=" removes all, "Key=" replaces.
void FConfigCacheIni::ReadText_(const FString &Text, const FString &Filename) {
  TArray<FString> Lines;
  Text.ParseIntoArrayLines(Lines);
  FString Section;
  for (const FString &Raw : Lines) {
    FString Line = Raw.TrimStartAndEnd(), Key, Value;
    if (Line.StartsWith(TEXT(";")) || Line.IsEmpty()) continue;
    if (Line.StartsWith(TEXT("["))) {
      Section = Line.Mid(1, Line.Len() - 2);
      continue;
    }
    if (!Line.Split(TEXT("="), &Key, &Value)) continue;
    const TCHAR Mark = Key.IsEmpty() ? TCHAR(0) : Key[0];
    if (FCString::Strchr(TEXT("+-!."), Mark) && Mark) Key = Key.Mid(1);
    Value = Value.TrimStartAndEnd().TrimQuotes();
    const FScopeLock Lock(&State->Mutex);
    FSection &S = State->Files.FindOrAdd(Filename).FindOrAdd(Section);
    if (Mark != TCHAR('+') && Mark != TCHAR('.'))
      S.RemoveAll([&](const FKeyValue &P) { return P.Key == Key && (Mark != TCHAR('-') || P.Value == Value); });
    if (Mark != TCHAR('-') && Mark != TCHAR('!')) S.Add({Key.TrimEnd(), Value});
  }
}

static FString &Line() {
  static FString *const The = new FString;
  return *The;
}
static bool bLineSet = false;
const TCHAR *FCommandLine::Get() { return *Line(); }
bool FCommandLine::IsInitialized() { return bLineSet; }
bool FCommandLine::Set(const TCHAR *New) {
  Line() = New;
  bLineSet = true;
  return true;
}
void FCommandLine::Append(const TCHAR *More) { Line() += More; }

// Where Match begins a word of the stream; what stands behind it.
static const TCHAR *FindWord(const TCHAR *Stream, const TCHAR *Match) {
  const int32 N = FCString::Strlen(Match);
  for (const TCHAR *P = Stream; P && *P; ++P)
    if (FCString::Strnicmp(P, Match, SIZE_T(N)) == 0 && (P == Stream || !FChar::IsAlnum(P[-1]))) return P + N;
  return nullptr;
}
bool FParse::Param(const TCHAR *Stream, const TCHAR *Name) {
  for (const TCHAR *P = Stream; (P = FindWord(P, Name)) != nullptr;) {
    const TCHAR *Start = P - FCString::Strlen(Name);
    const bool bMarked = Start > Stream && (Start[-1] == TCHAR('-') || Start[-1] == TCHAR('/'));
    if (bMarked && (Start - 1 == Stream || FChar::IsWhitespace(Start[-2])) && (!*P || FChar::IsWhitespace(*P)))
      return true;
  }
  return false;
}
bool FParse::Value(const TCHAR *Stream, const TCHAR *Match, FString &Out, bool bStopOnSeparator) {
  const TCHAR *P = FindWord(Stream, Match);
  if (!P) return false;
  const bool bQuoted = *P == TCHAR('"');
  const TCHAR *End = bQuoted ? ++P : P;
  while (*End &&
         (bQuoted ? *End != TCHAR('"')
                  : !FChar::IsWhitespace(*End) && !(bStopOnSeparator && (*End == TCHAR(',') || *End == TCHAR(')')))))
    ++End;
  Out = FString(int32(End - P), P);
  return true;
}
#define UE_SHIM_VALUE(Type, Parse)                                         \
  bool FParse::Value(const TCHAR *Stream, const TCHAR *Match, Type &Out) { \
    FString Text;                                                          \
    if (!Value(Stream, Match, Text)) return false;                         \
    Out = Type(Parse);                                                     \
    return true;                                                           \
  }
UE_SHIM_VALUE(int32, FCString::Atoi(*Text))
UE_SHIM_VALUE(uint32, FCString::Atoi64(*Text))
UE_SHIM_VALUE(int64, FCString::Atoi64(*Text))
UE_SHIM_VALUE(uint64, FCString::Strtoui64(*Text, nullptr, 10))
UE_SHIM_VALUE(float, FCString::Atof(*Text))
UE_SHIM_VALUE(FName, Text)
bool FParse::Bool(const TCHAR *Stream, const TCHAR *Match, bool &Out) {
  FString Text;
  if (!Value(Stream, Match, Text)) return false;
  Out = FCString::ToBool(*Text);
  return true;
}
bool FParse::Command(const TCHAR **Stream, const TCHAR *Match) {
  const TCHAR *P = *Stream;
  while (FChar::IsWhitespace(*P)) ++P;
  const int32 N = FCString::Strlen(Match);
  if (FCString::Strnicmp(P, Match, SIZE_T(N)) != 0 || FChar::IsAlnum(P[N])) return false;
  P += N;
  while (FChar::IsWhitespace(*P)) ++P;
  *Stream = P;
  return true;
}
bool FParse::Token(const TCHAR *&Stream, FString &Out, bool bUseEscape) {
  Out.Reset();
  while (FChar::IsWhitespace(*Stream)) ++Stream;
  bool bQuoted = false;
  const bool bAny = *Stream != 0;
  for (; *Stream && (bQuoted || !FChar::IsWhitespace(*Stream)); ++Stream) {
    if (*Stream == TCHAR('"'))
      bQuoted = !bQuoted;
    else if (bUseEscape && *Stream == TCHAR('\\') && Stream[1])
      Out.AppendChar(*++Stream);
    else
      Out.AppendChar(*Stream);
  }
  return bAny;
}
FString FParse::Token(const TCHAR *&Stream, bool bUseEscape) {
  FString Out;
  Token(Stream, Out, bUseEscape);
  return Out;
}
