// FName: a number for a text, whatever its case; "Door_3" is "Door" with a number.
#pragma once
#include "Containers/UnrealString.h"
#include "Misc/StringBuilder.h"

enum { NAME_SIZE = 1024 };
enum { NAME_NO_NUMBER_INTERNAL = 0 };
#define NAME_INTERNAL_TO_EXTERNAL(X) ((X)-1)
#define NAME_EXTERNAL_TO_INTERNAL(X) ((X) + 1)
enum EFindName { FNAME_Find, FNAME_Add };
enum class EName : uint32 { None, Zlib, Gzip, LZ4, Oodle, GameNetDriver };  // interned in this order
inline constexpr EName NAME_None = EName::None, NAME_Zlib = EName::Zlib, NAME_Gzip = EName::Gzip, NAME_LZ4 = EName::LZ4,
                       NAME_Oodle = EName::Oodle, NAME_GameNetDriver = EName::GameNetDriver;

struct FNameEntryId {
  constexpr FNameEntryId() = default;
  constexpr explicit FNameEntryId(uint32 In) : Value(In) {}
  uint32 ToUnstableInt() const { return Value; }
  bool IsNone() const { return Value == 0; }
  explicit operator bool() const { return Value != 0; }
  friend bool operator==(FNameEntryId A, FNameEntryId B) { return A.Value == B.Value; }
  friend uint32 GetTypeHash(FNameEntryId Id) { return Id.Value * 0x9E3779B1u; }

 private:
  uint32 Value = 0;
};

class CORE_API FName {
 public:
  FName() = default;
#if WITH_CASE_PRESERVING_NAME
  FName(EName Name) : Comparison(uint32(Name)), Display(uint32(Name)) {}
#else
  FName(EName Name) : Comparison(uint32(Name)) {}
#endif
  FName(const TCHAR *Text, EFindName Find = FNAME_Add) : FName(FStringView(Text), Find) {}
  FName(const ANSICHAR *Text, EFindName Find = FNAME_Add) : FName(FAnsiStringView(Text), Find) {}
  FName(FStringView Text, EFindName Find = FNAME_Add);
  FName(FAnsiStringView Text, EFindName Find = FNAME_Add);
  FName(int32 N, const TCHAR *Text, EFindName Find = FNAME_Add) : FName(FStringView(Text, N), Find) {}
  explicit FName(const FString &Text) : FName(FStringView(Text)) {}
  FName(const FName &Plain, int32 InNumber) : FName(Plain) { Number = uint32(InNumber); }

#if WITH_CASE_PRESERVING_NAME
  FNameEntryId GetDisplayIndex() const { return Display; }
#else
  FNameEntryId GetDisplayIndex() const { return Comparison; }
#endif
  int32 GetNumber() const { return int32(Number); }
  bool IsNone() const { return Comparison.IsNone() && Number == 0; }
  bool IsValid() const;
  FString ToString() const;
  void ToString(FString &Out) const;
  void ToString(FStringBuilderBase &Out) const;
  uint32 ToString(TCHAR *Out, uint32 Size) const;
  FString GetPlainNameString() const;
  void AppendString(FString &Out) const;
  void AppendString(FStringBuilderBase &Out) const;
  int32 Compare(const FName &O) const { return ToString().Compare(O.ToString(), ESearchCase::IgnoreCase); }
  uint64 ToUnstableInt() const { return uint64(Number) << 32 | Comparison.ToUnstableInt(); }

  friend bool operator==(const FName &A, const FName &B) {
    return A.Comparison == B.Comparison && A.Number == B.Number;
  }
  friend bool operator==(const FName &A, EName B) { return A == FName(B); }
  friend bool operator==(const FName &A, const TCHAR *B) { return A.ToString() == B; }
  friend uint32 GetTypeHash(const FName &N) { return GetTypeHash(N.Comparison) + N.Number; }
  friend FString LexToString(const FName &N) { return N.ToString(); }

 private:
  FStringView PlainView() const;
  FNameEntryId Comparison;
#if WITH_CASE_PRESERVING_NAME
  FNameEntryId Display;
#endif
  uint32 Number = NAME_NO_NUMBER_INTERNAL;
};
class FNameBuilder : public TStringBuilder<256> {
 public:
  FNameBuilder() = default;
  explicit FNameBuilder(const FName &Name) { Name.AppendString(*this); }
};
inline FStringBuilderBase &operator<<(FStringBuilderBase &Out, const FName &Name) {
  Name.AppendString(Out);
  return Out;
}
