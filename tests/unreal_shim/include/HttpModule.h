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
  bool IsHttpEnabled() const { return true; }
#if UE_SHIM_VERSION >= 504
  float GetHttpTotalTimeout() const { return 0.0f; }
  float GetHttpActivityTimeout() const { return 30.0f; }
#else
  float GetHttpTimeout() const { return 180.0f; }
#endif
  const FString &GetProxyAddress() const { return Proxy; }

 private:
  FHttpManager *Manager = nullptr;
  FString Proxy;
};
