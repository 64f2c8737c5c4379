// Objects, classes, their defaults from the ini, and garbage collection of what was marked as garbage.
#include "CoreMinimal.h"
#include "Engine/DeveloperSettings.h"
#include "Kismet/BlueprintFunctionLibrary.h"
#include "Misc/ConfigCacheIni.h"
#include "Misc/ScopeLock.h"
#include "State.h"
#include "UObject/UObjectArray.h"
#include "unreal_shim/Classes.h"

namespace {
struct FSlot {
  UObject *Object;
  int32 Serial;
};
struct FTable {
  FCriticalSection Mutex;
  TArray<FSlot> Slots;
  TArray<int32> Free;
  TMap<FString, UClass *> Classes;
  TMap<FName, int32> Numbers;  // for unnamed objects, by class
};
FTable &Table() {
  static FTable *const The = new FTable;
  return *The;
}
struct FPending {
  UClass *Class;
  UObject *Outer;
  FName Name;
  EObjectFlags Flags;
  bool bSet = false;
};
thread_local FPending Pending;
std::atomic<bool> bCollecting;
FString SectionOf(const UClass *Class) { return FString(Class->Info.Package) + TEXT(".") + Class->Info.Name; }
FString FileOf(const UClass *Class) {
  const FString Config(Class->Info.Config);
  return Config == TEXT("Engine") ? GEngineIni : Config == TEXT("Game") ? GGameIni : Config + TEXT(".ini");
}
}  // namespace

struct FObjectAccess {
  static int32 Index(const UObject *O) { return O->InternalIndex; }
};

UObject::UObject() {
  if (!Pending.bSet) unreal_shim::CheckFailed("an object was made with new instead of NewObject", __FILE__, __LINE__);
  Pending.bSet = false;
  ClassPrivate = Pending.Class;
  OuterPrivate = Pending.Outer;
  NamePrivate = Pending.Name;
  ObjectFlags = Pending.Flags;
  const FScopeLock Lock(&Table().Mutex);
  static int32 LastSerial = 0;
  if (Table().Free.IsEmpty()) {
    InternalIndex = Table().Slots.Add({this, ++LastSerial});
  } else {
    InternalIndex = Table().Free.Pop();
    Table().Slots[InternalIndex] = {this, ++LastSerial};
  }
}
UObject::~UObject() {
  const FScopeLock Lock(&Table().Mutex);
  Table().Slots[InternalIndex].Object = nullptr;
  Table().Free.Add(InternalIndex);
}
bool unreal_shim::WeakReference(const UObject *Object, int32 &Index, int32 &Serial) {
  const FScopeLock Lock(&Table().Mutex);
  Index = FObjectAccess::Index(Object);
  Serial = Table().Slots[Index].Serial;
  return true;
}
bool unreal_shim::IsAlive(int32 Index, int32 Serial) {
  const FScopeLock Lock(&Table().Mutex);
  if (!Table().Slots.IsValidIndex(Index)) return false;
  const FSlot &Slot = Table().Slots[Index];
  return Slot.Object && Slot.Serial == Serial && !Slot.Object->HasAnyFlags(RF_MirroredGarbage);
}
bool UObjectInitialized() { return unreal_shim::State().bObjectsReady; }
UObject *unreal_shim::Construct(UClass *Class, UObject *Outer, FName Name, EObjectFlags Flags) {
  check(State().bObjectsReady);
  check(!bCollecting);
  if (!Class->Info.Create) CheckFailed("an object of an abstract class", __FILE__, __LINE__, Class->Info.Name);
  if (Name.IsNone()) {
    const FScopeLock Lock(&Table().Mutex);
    Name =
        FName(FName(Class->Info.Name), NAME_EXTERNAL_TO_INTERNAL(Table().Numbers.FindOrAdd(FName(Class->Info.Name))++));
  }
  Pending = {Class, Outer, Name, Flags, true};
  UObject *Object = Class->Info.Create();
  if (*Class->Info.Config) Object->LoadConfig();
  Object->PostInitProperties();
  return Object;
}
UClass *unreal_shim::RegisterClass(const FClassInfo &Info) {
  const FScopeLock Lock(&Table().Mutex);
  const FString Path = FString(Info.Package) + TEXT(".") + Info.Name;
  UClass *&Class = Table().Classes.FindOrAdd(Path);
  if (!Class) {
    UClass *const Meta = Path == TEXT("/Script/CoreUObject.Class") ? nullptr : UClass::StaticClass();
    Pending = {Meta, nullptr, FName(Info.Name), RF_Public, true};
    UClass *const New = new UClass;
    Table().Classes[Path] = New;
    New->Info = Info;
    return New;
  }
  Class->Info = Info;  // of the library that was loaded last
  return Class;
}
void unreal_shim::ForgetPackage(const FString &Package) {
  const FScopeLock Lock(&Table().Mutex);
  for (int32 I = 0; I < Table().Slots.Num(); ++I) {
    UObject *Object = Table().Slots[I].Object;
    if (Object && Object->GetClass() && Package == Object->GetClass()->Info.Package) {
      Object->GetClass()->ForgetDefault_(Object);
      delete Object;
    }
  }
}

FString UObject::GetPathName(const UObject *Stop) const {
  if (const UClass *AsClass = ClassPrivate == UClass::StaticClass() ? static_cast<const UClass *>(this) : nullptr)
    return SectionOf(AsClass);
  if (!OuterPrivate || OuterPrivate == Stop) return GetName();
  return OuterPrivate->GetPathName(Stop) +
         (OuterPrivate->OuterPrivate || !OuterPrivate->IsA<UPackage>() ? TEXT(":") : TEXT(".")) + GetName();
}
UPackage *UObject::GetPackage() const {
  const UObject *Top = this;
  while (Top->OuterPrivate) Top = Top->OuterPrivate;
  return Top->IsA<UPackage>() ? static_cast<UPackage *>(const_cast<UObject *>(Top)) : GetTransientPackage();
}
bool UObject::IsA(const UClass *Of) const { return ClassPrivate && ClassPrivate->IsChildOf(Of); }
void UObject::MarkAsGarbage() { SetFlags(RF_MirroredGarbage); }
bool UObject::ConditionalBeginDestroy() {
  if (HasAnyFlags(RF_BeginDestroyed)) return false;
  SetFlags(RF_BeginDestroyed);
  BeginDestroy();
  return true;
}
void UObject::LoadConfig() {
  const FString Section = SectionOf(ClassPrivate);
  unreal_shim::FPropertyVisitor Visitor{*Section, FileOf(ClassPrivate), false};
  if (GConfig && ClassPrivate->Info.Visit) ClassPrivate->Info.Visit(Visitor, this);
}
bool unreal_shim::FPropertyVisitor::Get(const TCHAR *Key, TArray<FString> &Values) const {
  return GConfig->GetArray(Section, Key, Values, Filename) > 0;
}
void unreal_shim::FPropertyVisitor::Set(const TCHAR *Key, const TArray<FString> &Values) const {
  GConfig->SetArray(Section, Key, Values, Filename);
}

bool UClass::IsChildOf(const UClass *Of) const {
  for (const UClass *C = this; C; C = C->GetSuperClass())
    if (C == Of) return true;
  return false;
}
UObject *UClass::GetDefaultObject(bool bCreateIfNeeded) {
  if (!Default && bCreateIfNeeded && Info.Create) {
    if (!unreal_shim::State().bObjectsReady)
      unreal_shim::CheckFailed(
          "a default object was wanted before CoreUObject was there (PostConfigInit): read GConfig", __FILE__,
          __LINE__);
    Default = unreal_shim::Construct(this, GetTransientPackage(), FName(FString(TEXT("Default__")) + Info.Name),
                                     RF_ClassDefaultObject);
    Default->AddToRoot();
  }
  return Default;
}
void UClass::ForgetDefault_(const UObject *Object) {
  if (Object == Default) Default = nullptr;
}
UPackage *GetTransientPackage() {
  static UPackage *const The = [] {
    Pending = {UPackage::StaticClass(), nullptr, FName(TEXT("/Engine/Transient")), RF_Public, true};
    UPackage *Package = new UPackage;
    Package->AddToRoot();
    return Package;
  }();
  return The;
}
bool IsValid(const UObject *Object) {
  return Object && !Object->HasAnyFlags(EObjectFlags(RF_MirroredGarbage | RF_BeginDestroyed));
}
FCoreUObjectDelegates::FPreLoadMapDelegate FCoreUObjectDelegates::PreLoadMap;
FCoreUObjectDelegates::FPostLoadMapDelegate FCoreUObjectDelegates::PostLoadMapWithWorld;
FSimpleMulticastDelegate &FCoreUObjectDelegates::GetPreGarbageCollectDelegate() {
  static FSimpleMulticastDelegate The;
  return The;
}
#if UE_SHIM_VERSION >= 505
FSimpleMulticastDelegate &FCoreUObjectDelegates::GetGarbageCollectStartedDelegate() {
  static FSimpleMulticastDelegate The;
  return The;
}
#endif
FSimpleMulticastDelegate &FCoreUObjectDelegates::GetPostGarbageCollect() {
  static FSimpleMulticastDelegate The;
  return The;
}
void CollectGarbage(EObjectFlags, bool) {
  check(IsInGameThread());
  FCoreUObjectDelegates::GetPreGarbageCollectDelegate().Broadcast();
#if UE_SHIM_VERSION >= 505
  FCoreUObjectDelegates::GetGarbageCollectStartedDelegate().Broadcast();
#endif
  TArray<UObject *> Dead;
  {
    const FScopeLock Lock(&Table().Mutex);
    for (const FSlot &Slot : Table().Slots)
      if (Slot.Object && Slot.Object->HasAnyFlags(RF_MirroredGarbage) && !Slot.Object->IsRooted())
        Dead.Add(Slot.Object);
  }
  bCollecting = true;
  for (UObject *Object : Dead) Object->ConditionalBeginDestroy();
  for (UObject *Object : Dead) delete Object;
  bCollecting = false;
  FCoreUObjectDelegates::GetPostGarbageCollect().Broadcast();
}
FUObjectArray GUObjectArray;
int32 FUObjectArray::GetObjectArrayNumMinusAvailable() const {
  const FScopeLock Lock(&Table().Mutex);
  return Table().Slots.Num() - Table().Free.Num();
}
UE_SHIM_CLASS(UObject, "Object", "CoreUObject", nullptr)
UE_SHIM_CLASS(UPackage, "Package", "CoreUObject", &UObject::StaticClass)
UE_SHIM_ABSTRACT_CLASS(UClass, "Class", "CoreUObject", &UObject::StaticClass)
UE_SHIM_ABSTRACT_CLASS(UDeveloperSettings, "DeveloperSettings", "DeveloperSettings", &UObject::StaticClass)
UE_SHIM_ABSTRACT_CLASS(UBlueprintFunctionLibrary, "BlueprintFunctionLibrary", "Engine", &UObject::StaticClass)
