// UObject and UClass.
#pragma once
#include "CoreMinimal.h"
#include "UObject/ObjectMacros.h"
#include "UObject/UObjectBase.h"

class UClass;
class UPackage;
class UWorld;
#if WITH_EDITOR
class FProperty;
struct FPropertyChangedEvent {
  FProperty *Property = nullptr;
  FName Name;
};
#endif
struct FObjectInitializer {
  UObject *Object = nullptr;
  static const FObjectInitializer &Get() {
    static const FObjectInitializer The;
    return The;
  }
};

namespace unreal_shim {
struct FPropertyVisitor;
struct FClassInfo {
  const TCHAR *Name;     // without its U or A
  const TCHAR *Package;  // /Script/Module
  const TCHAR *Config;   // "Engine" for UCLASS(Config=Engine), else empty
  UClass *(*Super)();
  UObject *(*Create)();  // null: abstract
  void (*Visit)(FPropertyVisitor &, UObject *);
  bool bDefaultConfig;
};
COREUOBJECT_API UClass *RegisterClass(const FClassInfo &Info);  // the same name gives the same class
}  // namespace unreal_shim

class COREUOBJECT_API UObject {
 public:
  using ThisClass = UObject;
  UObject();
  explicit UObject(const FObjectInitializer &) : UObject() {}
  virtual ~UObject();
  UObject(const UObject &) = delete;
  UObject &operator=(const UObject &) = delete;
  static UClass *StaticClass();
  static void UEShimVisit(unreal_shim::FPropertyVisitor &, UObject *) {}

  FName GetFName() const { return NamePrivate; }
  FString GetName() const { return NamePrivate.ToString(); }
  FString GetPathName(const UObject *Stop = nullptr) const;
  UClass *GetClass() const { return ClassPrivate; }
  UObject *GetOuter() const { return OuterPrivate; }
  UPackage *GetPackage() const;
  UPackage *GetOutermost() const { return GetPackage(); }
  bool IsA(const UClass *Of) const;
  template <typename T>
  bool IsA() const {
    return IsA(T::StaticClass());
  }
  bool HasAnyFlags(EObjectFlags Which) const { return (uint32(ObjectFlags) & uint32(Which)) != 0; }
  void SetFlags(EObjectFlags Which) { ObjectFlags = EObjectFlags(uint32(ObjectFlags) | uint32(Which)); }
  void AddToRoot() { bRootedPrivate = true; }
  bool IsRooted() const { return bRootedPrivate; }
  void MarkAsGarbage();
  bool ConditionalBeginDestroy();
  void LoadConfig();
  virtual void PostInitProperties() {}
  virtual void BeginDestroy() {}
  virtual UWorld *GetWorld() const { return OuterPrivate ? OuterPrivate->GetWorld() : nullptr; }
#if WITH_EDITOR
  virtual void PostEditChangeProperty(FPropertyChangedEvent &) {}
#endif

 private:
  friend class UClass;
  friend struct FObjectAccess;
  UClass *ClassPrivate;
  UObject *OuterPrivate;
  FName NamePrivate;
  EObjectFlags ObjectFlags;
  int32 InternalIndex;
  bool bRootedPrivate = false;
};

class COREUOBJECT_API UPackage : public UObject {
 public:
  static UClass *StaticClass();
};
class COREUOBJECT_API UClass : public UObject {
 public:
  static UClass *StaticClass();
  UClass *GetSuperClass() const { return Info.Super ? Info.Super() : nullptr; }
  bool IsChildOf(const UClass *Of) const;
  UObject *GetDefaultObject(bool bCreateIfNeeded = true);
  template <typename T>
  T *GetDefaultObject() {
    return static_cast<T *>(GetDefaultObject());
  }
  unreal_shim::FClassInfo Info;
  void ForgetDefault_(const UObject *Object);

 private:
  UObject *Default = nullptr;
};
