// FString: TCHARs with a zero behind them.
#pragma once
#include "Containers/Array.h"
#include "Containers/StringConv.h"

namespace unreal_shim {
struct FFormatArgument {
  enum EKind : uint8 { Signed, Unsigned, Float, Pointer, Text, Ansi, Utf8 } Kind;
  uint8 Size;
  union {
    int64 Integer;
    double Number;
    const void *Address;
  };
};
template <typename T>
FFormatArgument FormatArgument(T V) {
  FFormatArgument A;
  A.Size = sizeof(T);
  if constexpr (std::is_enum_v<T>) {
    return FormatArgument(static_cast<std::underlying_type_t<T>>(V));
  } else if constexpr (std::is_floating_point_v<T>) {
    A.Kind = FFormatArgument::Float;
    A.Number = double(V);
  } else if constexpr (std::is_integral_v<T>) {
    A.Kind = std::is_signed_v<T> ? FFormatArgument::Signed : FFormatArgument::Unsigned;
    A.Integer = int64(V);
  } else {
    static_assert(std::is_pointer_v<T> || std::is_null_pointer_v<T>,
                  "Invalid argument(s) passed to Printf: only numbers and pointers; an FString needs its *");
    using E = std::remove_cv_t<std::remove_pointer_t<T>>;
    A.Kind = std::is_same_v<E, TCHAR>      ? FFormatArgument::Text
             : std::is_same_v<E, ANSICHAR> ? FFormatArgument::Ansi
             : std::is_same_v<E, UTF8CHAR> ? FFormatArgument::Utf8
                                           : FFormatArgument::Pointer;
    A.Address = static_cast<const void *>(V);
  }
  return A;
}
}  // namespace unreal_shim

class CORE_API FString {
 public:
  using ElementType = TCHAR;
  FString() = default;
  FString(const TCHAR *S) : FString(FStringView(S)) {}
  FString(const ANSICHAR *S);
  FString(const UTF8CHAR *S);
  FString(int32 N, const TCHAR *S) : FString(FStringView(S, N)) {}
  explicit FString(FStringView V) { Append(V); }
  explicit FString(FAnsiStringView V);
  explicit FString(FUtf8StringView V);

  template <size_t N, typename... A>
  static FString Printf(const TCHAR (&Format)[N], A... Args) {
    FString Result;
    Result.Appendf(Format, Args...);
    return Result;
  }
  template <size_t N, typename... A>
  FString &Appendf(const TCHAR (&Format)[N], A... Args) {
    const unreal_shim::FFormatArgument List[sizeof...(A) + 1] = {unreal_shim::FormatArgument(Args)..., {}};
    return AppendFormat(Format, List, int32(sizeof...(A)));
  }
  FString &AppendFormat(const TCHAR *Format, const unreal_shim::FFormatArgument *Args, int32 NumArgs);

  const TCHAR *operator*() const { return Data.IsEmpty() ? TEXT("") : Data.GetData(); }
  int32 Len() const { return Data.IsEmpty() ? 0 : Data.Num() - 1; }
  bool IsEmpty() const { return Len() == 0; }
  bool IsValidIndex(int32 I) const { return I >= 0 && I < Len(); }
  TCHAR &operator[](int32 I) { return Data[I]; }
  const TCHAR &operator[](int32 I) const { return Data[I]; }
  TArray<TCHAR> &GetCharArray() { return Data; }
  const TArray<TCHAR> &GetCharArray() const { return Data; }
  TCHAR *begin() { return Data.GetData(); }
  TCHAR *end() { return Data.GetData() + Len(); }
  const TCHAR *begin() const { return Data.GetData(); }
  const TCHAR *end() const { return Data.GetData() + Len(); }
  void Empty(int32 Slack = 0) { Data.Empty(Slack); }
  void Reset(int32 Slack = 0) { Data.Reset(Slack); }
  void Reserve(int32 N) { Data.Reserve(N + 1); }
  FString &Append(FStringView V);
  FString &Append(const TCHAR *S) { return Append(FStringView(S)); }
  FString &Append(const FString &S) { return Append(FStringView(*S, S.Len())); }
  FString &Append(const TCHAR *S, int32 N) { return Append(FStringView(S, N)); }
  FString &Append(const ANSICHAR *S, int32 N) { return Append(FString(FAnsiStringView(S, N))); }
  FString &AppendChar(TCHAR X) { return Append(FStringView(&X, 1)); }
  FString &operator+=(const FString &S) { return Append(S); }
  FString &operator+=(const TCHAR *S) { return Append(S); }
  FString &operator+=(const ANSICHAR *S) { return Append(FString(S)); }
  FString &operator+=(FStringView V) { return Append(V); }
  FString &operator+=(TCHAR X) { return AppendChar(X); }
  friend FString operator+(FString A, const FString &B) { return MoveTemp(A.Append(B)); }
  friend FString operator+(FString A, const TCHAR *B) { return MoveTemp(A.Append(B)); }
  friend FString operator+(const TCHAR *A, const FString &B) { return MoveTemp(FString(A).Append(B)); }
  FString &operator/=(const TCHAR *S);
  FString &operator/=(const FString &S) { return *this /= *S; }
  friend FString operator/(FString A, const TCHAR *B) { return MoveTemp(A /= B); }
  friend FString operator/(FString A, const FString &B) { return MoveTemp(A /= B); }

  FString Left(int32 N) const { return FString(View().Left(N)); }
  FString LeftChop(int32 N) const { return FString(View().LeftChop(N)); }
  FString Right(int32 N) const { return FString(View().Right(N)); }
  FString RightChop(int32 N) const { return FString(View().RightChop(N)); }
  FString Mid(int32 At) const { return FString(View().Mid(At)); }
  FString Mid(int32 At, int32 N) const { return FString(View().Mid(At, N)); }
  void LeftInline(int32 N) { *this = Left(N); }
  void RightChopInline(int32 N) { *this = RightChop(N); }
  void LeftChopInline(int32 N) { *this = LeftChop(N); }
  void RemoveAt(int32 At, int32 N = 1);
  bool RemoveFromEnd(const FString &S, ESearchCase::Type Case = ESearchCase::IgnoreCase);
  FString ToLower() const;
  FString ToUpper() const;
  FString TrimEnd() const;
  FString TrimStartAndEnd() const { return FString(View().TrimStartAndEnd()); }
  void TrimStartAndEndInline() { *this = TrimStartAndEnd(); }
  FString TrimQuotes(bool *bRemoved = nullptr) const;
  FString Replace(const TCHAR *From, const TCHAR *To, ESearchCase::Type Case = ESearchCase::IgnoreCase) const;
  int32 ReplaceInline(const TCHAR *From, const TCHAR *To, ESearchCase::Type Case = ESearchCase::IgnoreCase);

  bool Equals(const FString &S, ESearchCase::Type Case = ESearchCase::CaseSensitive) const {
    return View().Equals(S.View(), Case);
  }
  int32 Compare(const FString &S, ESearchCase::Type Case = ESearchCase::CaseSensitive) const {
    return View().Compare(S.View(), Case);
  }
  bool Contains(FStringView S, ESearchCase::Type Case = ESearchCase::IgnoreCase) const {
    return View().Contains(S, Case);
  }
  bool StartsWith(FStringView S, ESearchCase::Type Case = ESearchCase::IgnoreCase) const {
    return View().StartsWith(S, Case);
  }
  bool EndsWith(FStringView S, ESearchCase::Type Case = ESearchCase::IgnoreCase) const {
    return View().EndsWith(S, Case);
  }
  int32 Find(FStringView S, ESearchCase::Type Case = ESearchCase::IgnoreCase,
             ESearchDir::Type Dir = ESearchDir::FromStart, int32 From = INDEX_NONE) const;
  bool FindChar(TCHAR X, int32 &At) const { return View().FindChar(X, At); }
  bool FindLastChar(TCHAR X, int32 &At) const;
  bool Split(const FString &At, FString *Left, FString *Right, ESearchCase::Type Case = ESearchCase::IgnoreCase,
             ESearchDir::Type Dir = ESearchDir::FromStart) const;
  int32 ParseIntoArray(TArray<FString> &Out, const TCHAR *Delimiter = TEXT(","), bool bCullEmpty = true) const;
  int32 ParseIntoArray(TArray<FString> &Out, const TCHAR *const *Delimiters, int32 NumDelimiters,
                       bool bCullEmpty = true) const;
  int32 ParseIntoArrayLines(TArray<FString> &Out, bool bCullEmpty = true) const;
  bool IsNumeric() const { return FCString::IsNumeric(**this); }
  bool ToBool() const { return FCString::ToBool(**this); }
  static FString FromInt(int32 N);
  static FString ChrN(int32 N, TCHAR X);
  static FString Chr(TCHAR X) { return FString(1, &X); }
  template <typename R>
  static FString Join(const R &Range, const TCHAR *Separator) {
    FString Result;
    bool bFirst = true;
    for (const auto &Element : Range) {
      if (!bFirst) Result += Separator;
      bFirst = false;
      Result += Element;
    }
    return Result;
  }

  friend bool operator==(const FString &A, const FString &B) { return A.Equals(B, ESearchCase::IgnoreCase); }
  friend bool operator==(const FString &A, const TCHAR *B) { return FCString::Stricmp(*A, B) == 0; }
  friend bool operator<(const FString &A, const FString &B) { return A.Compare(B, ESearchCase::IgnoreCase) < 0; }
  friend uint32 GetTypeHash(const FString &S) { return GetTypeHash(S.View()); }

 private:
  FStringView View() const { return FStringView(**this, Len()); }
  TArray<TCHAR> Data;
};

inline FString LexToString(int32 V) { return FString::FromInt(V); }
CORE_API FString LexToString(uint32 V);
CORE_API FString LexToString(int64 V);
CORE_API FString LexToString(uint64 V);
CORE_API FString LexToString(float V);
CORE_API FString LexToString(double V);
inline FString LexToString(const TCHAR *V) { return FString(V); }
inline FString LexToString(const FString &V) { return V; }
template <typename B, typename = std::enable_if_t<std::is_same_v<B, bool>>>
FString LexToString(B V) {
  return FString(V ? TEXT("true") : TEXT("false"));
}
inline void LexFromString(int32 &Out, const TCHAR *S) { Out = FCString::Atoi(S); }
inline void LexFromString(int64 &Out, const TCHAR *S) { Out = FCString::Atoi64(S); }
inline void LexFromString(float &Out, const TCHAR *S) { Out = FCString::Atof(S); }
inline void LexFromString(double &Out, const TCHAR *S) { Out = FCString::Atod(S); }
inline void LexFromString(bool &Out, const TCHAR *S) { Out = FCString::ToBool(S); }
inline void LexFromString(FString &Out, const TCHAR *S) { Out = S; }

namespace unreal_shim {
CORE_API FString &FormatBuffer();  // the calling thread's, for check and ensure
template <typename... A>
const TCHAR *FormatForCheck(const TCHAR *Format, A... Args) {
  const FFormatArgument List[sizeof...(A) + 1] = {FormatArgument(Args)..., {}};
  FString &Buffer = FormatBuffer();
  Buffer.Reset();
  Buffer.AppendFormat(Format, List, int32(sizeof...(A)));
  return *Buffer;
}
}  // namespace unreal_shim
