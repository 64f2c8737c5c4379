// The table of names: entries stay where they are, for ever.
#include <mutex>

#include "Containers/Map.h"
#include "UObject/NameTypes.h"

namespace {
struct FEntry {
  FString Text;
  bool operator==(const FEntry &) const = delete;
};
struct FExact {  // found with its case
  FStringView Text;
  friend bool operator==(const FExact &A, const FExact &B) { return A.Text.Equals(B.Text); }
  friend uint32 GetTypeHash(const FExact &E) { return GetTypeHash(E.Text); }
};
struct FTable {
  std::mutex Mutex;
  TArray<FEntry *> Entries;
  TMap<FStringView, uint32> Folded;  // the case-insensitive text's first entry
  TMap<FExact, uint32> Exact;
  FTable() {
    for (const TCHAR *Text :
         {TEXT("None"), TEXT("Zlib"), TEXT("Gzip"), TEXT("LZ4"), TEXT("Oodle"), TEXT("GameNetDriver")}) {
      FEntry *Entry = new FEntry{FString(Text)};
      const FStringView View(*Entry->Text, Entry->Text.Len());
      Exact.Add(FExact{View}, uint32(Entries.Num()));
      Folded.Add(View, uint32(Entries.Num()));
      Entries.Add(Entry);
    }
  }
  uint32 Intern(FStringView Text) {
    FEntry *Entry = new FEntry{FString(Text)};
    const FStringView View(*Entry->Text, Entry->Text.Len());
    const uint32 Id = uint32(Entries.Num());
    Entries.Add(Entry);
    Exact.Add(FExact{View}, Id);
    if (!Folded.Find(View)) Folded.Add(View, Id);
    return Id;
  }
};
FTable &Table() {
  static FTable *const The = new FTable;  // names outlive everything
  return *The;
}
}  // namespace

FName::FName(FAnsiStringView Text, EFindName Find) {
  const auto Wide = StringCast<TCHAR>(Text.GetData(), Text.Len());
  *this = FName(FStringView(Wide.Get(), Wide.Length()), Find);
}
FName::FName(FStringView Text, EFindName Find) {
  if (Text.IsEmpty()) return;
  check(Text.Len() < NAME_SIZE);
  int32 Digits = 0;
  while (Digits < Text.Len() && FChar::IsDigit(Text[Text.Len() - 1 - Digits])) ++Digits;
  const int32 Plain = Text.Len() - Digits - 1;
  if (Digits && Digits < 10 && Plain > 0 && Text[Plain] == TCHAR('_') &&
      (Digits == 1 || Text[Plain + 1] != TCHAR('0'))) {
    uint32 N = 0;
    for (int32 I = Plain + 1; I < Text.Len(); ++I) N = N * 10 + uint32(Text[I] - TCHAR('0'));
    Number = NAME_EXTERNAL_TO_INTERNAL(N);
    Text = Text.Left(Plain);
  }
  FTable &T = Table();
  const std::lock_guard Lock(T.Mutex);
  const uint32 *Same = T.Folded.Find(Text);
  if (!Same && Find == FNAME_Find) {
    Number = NAME_NO_NUMBER_INTERNAL;
    return;
  }
  Comparison = FNameEntryId(Same ? *Same : T.Intern(Text));
#if WITH_CASE_PRESERVING_NAME
  const uint32 *Exact = T.Exact.Find(FExact{Text});
  Display = FNameEntryId(Exact ? *Exact : T.Intern(Text));
#endif
}
FStringView FName::PlainView() const {
  FTable &T = Table();
  const std::lock_guard Lock(T.Mutex);
  const FString &Text = T.Entries[int32(GetDisplayIndex().ToUnstableInt())]->Text;
  return FStringView(*Text, Text.Len());
}
bool FName::IsValid() const { return true; }
FString FName::GetPlainNameString() const { return FString(PlainView()); }
FString FName::ToString() const {
  FString Text;
  AppendString(Text);
  return Text;
}
void FName::ToString(FString &Out) const {
  Out.Reset();
  AppendString(Out);
}
void FName::ToString(FStringBuilderBase &Out) const {
  Out.Reset();
  AppendString(Out);
}
uint32 FName::ToString(TCHAR *Out, uint32 Size) const {
  const FString Text = ToString();
  FCString::Strncpy(Out, *Text, Size);
  return uint32(FCString::Strlen(Out));
}
void FName::AppendString(FString &Out) const {
  Out.Append(PlainView());
  if (Number != NAME_NO_NUMBER_INTERNAL) Out.Appendf(TEXT("_%u"), NAME_INTERNAL_TO_EXTERNAL(Number));
}
void FName::AppendString(FStringBuilderBase &Out) const {
  Out.Append(PlainView());
  if (Number != NAME_NO_NUMBER_INTERNAL) Out << TCHAR('_') << uint32(NAME_INTERNAL_TO_EXTERNAL(Number));
}
