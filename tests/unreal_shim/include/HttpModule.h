#pragma once
#include "HttpManager.h"
#include "Interfaces/IHttpRequest.h"
#include "Modules/ModuleInterface.h"

class HTTP_API FHttpModule : public IModuleInterface {
 public:
  static FHttpModule &Get();  // loads the module: on the game thread only
  void StartupModule() override;
  void ShutdownModule() override;
  FHttpRequestRef CreateRequest();
  FHttpManager &GetHttpManager() { return *Manager; }

 private:
  FHttpManager *Manager = nullptr;
  FString Proxy;
};
