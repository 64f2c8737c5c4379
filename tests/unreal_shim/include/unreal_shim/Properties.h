// What generated bodies tell about their Config properties.
#pragma once
#include "UObject/UObjectGlobals.h"

namespace unreal_shim {
template <typename T>
UObject *Create() {
  if constexpr (std::is_default_constructible_v<T>)
    return new T();
  else
    return new T(FObjectInitializer());
}

// One value as an ini's text, and back.
inline FString ToIni(bool V) { return FString(V ? TEXT("True") : TEXT("False")); }
template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
FString ToIni(const T &V) {
  if constexpr (std::is_floating_point_v<T>)
    return LexToString(V);
  else
    return LexToString(int64(V));
}
inline FString ToIni(const FString &V) { return V; }
inline FString ToIni(const FName &V) { return V.ToString(); }
inline FString ToIni(const FText &V) { return V.ToString(); }
inline void FromIni(bool &V, const FString &S) { V = S.ToBool(); }
template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
void FromIni(T &V, const FString &S) {
  if constexpr (std::is_floating_point_v<T>)
    V = T(FCString::Atod(*S));
  else
    V = T(FCString::Atoi64(*S));
}
inline void FromIni(FString &V, const FString &S) { V = S; }
inline void FromIni(FName &V, const FString &S) { V = FName(S); }
inline void FromIni(FText &V, const FString &S) { V = FText::FromString(S); }

struct COREUOBJECT_API FPropertyVisitor {
  const TCHAR *Section;
  FString Filename;
  bool bSave;
  bool Get(const TCHAR *Key, TArray<FString> &Values) const;
  void Set(const TCHAR *Key, const TArray<FString> &Values) const;

  template <typename T>
  void Visit(const TCHAR *Key, T &Value) {
    TArray<FString> Values;
    if (bSave) {
      Values.Add(ToIni(Value));
      Set(Key, Values);
    } else if (Get(Key, Values)) {
      FromIni(Value, Values.Last());
    }
  }
  template <typename T>
  void Visit(const TCHAR *Key, TArray<T> &Value) {
    TArray<FString> Values;
    if (bSave) {
      for (const T &Each : Value) Values.Add(ToIni(Each));
      Set(Key, Values);
    } else if (Get(Key, Values)) {
      Value.Reset();
      for (const FString &Each : Values) FromIni(Value.AddDefaulted_GetRef(), Each);
    }
  }
  template <typename K, typename V>
  void Visit(const TCHAR *Key, TMap<K, V> &Value) {  // +Key=((a, b)) in the engine; here one "a=b" each
    TArray<FString> Values;
    if (bSave) {
      for (const TPair<K, V> &Each : Value) Values.Add(ToIni(Each.Key) + TEXT("=") + ToIni(Each.Value));
      Set(Key, Values);
    } else if (Get(Key, Values)) {
      Value.Reset();
      for (const FString &Each : Values) {
        FString Left, Right;
        K Name;
        if (!Each.Split(TEXT("="), &Left, &Right)) continue;
        FromIni(Name, Left);
        FromIni(Value.Add(Name), Right);
      }
    }
  }
  template <typename E>
  void VisitEnum(const TCHAR *Key, E &Value, std::initializer_list<TPair<const TCHAR *, E>> Names) {
    TArray<FString> Values;
    if (bSave) {
      for (const TPair<const TCHAR *, E> &Each : Names)
        if (Each.Value == Value) Values.Add(Each.Key);
      Set(Key, Values);
    } else if (Get(Key, Values)) {
      FString Text = Values.Last(), Scope;
      Text.Split(TEXT("::"), &Scope, &Text);
      for (const TPair<const TCHAR *, E> &Each : Names)
        if (Text == Each.Key) Value = Each.Value;
    }
  }
};
}  // namespace unreal_shim
