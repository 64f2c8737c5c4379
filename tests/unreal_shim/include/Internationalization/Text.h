// FText without translation: its text.
#pragma once
#include "Containers/UnrealString.h"
#include "UObject/NameTypes.h"

class CORE_API FText {
 public:
  FText() = default;
  static FText FromString(const FString &S) { return FText(S); }
  const FString &ToString() const { return Text; }
  bool IsEmpty() const { return Text.IsEmpty(); }
  template <typename... A>
  static FText Format(const FText &Pattern, const A &...Args) {  // {0}, {1} …
    FString Result = Pattern.Text;
    int32 I = 0;
    ((Result.ReplaceInline(*FString::Printf(TEXT("{%d}"), I), *Shown(Args)), ++I), ...);
    return FText(Result);
  }

 private:
  explicit FText(const FString &S) : Text(S) {}
  static FString Shown(const FText &T) { return T.Text; }
  template <typename T>
  static FString Shown(const T &V) {
    return LexToString(V);
  }
  FString Text;
};
