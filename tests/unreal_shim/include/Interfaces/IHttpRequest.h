#pragma once
#include "Delegates/Delegate.h"
#include "Interfaces/IHttpBase.h"
#include "Interfaces/IHttpResponse.h"

class IHttpRequest;
using FHttpRequestPtr = TSharedPtr<IHttpRequest, ESPMode::ThreadSafe>;
using FHttpRequestRef = TSharedRef<IHttpRequest, ESPMode::ThreadSafe>;
using FHttpResponsePtr = TSharedPtr<IHttpResponse, ESPMode::ThreadSafe>;
namespace EHttpRequestStatus {
enum Type {
  NotStarted,
  Processing,
  Failed,
#if UE_SHIM_VERSION < 504
  Failed_ConnectionError,
#endif
  Succeeded
};
}  // namespace EHttpRequestStatus
enum class EHttpRequestDelegateThreadPolicy : uint8 { CompleteOnGameThread = 0, CompleteOnHttpThread };
DECLARE_DELEGATE_ThreeParams(FHttpRequestCompleteDelegate, FHttpRequestPtr, FHttpResponsePtr, bool)

    class IHttpRequest : public IHttpBase,
                         public TSharedFromThis<IHttpRequest, ESPMode::ThreadSafe> {
 public:
  virtual void SetVerb(const FString &Verb) = 0;
  virtual void SetURL(const FString &URL) = 0;
  virtual void SetContent(const TArray<uint8> &Content) = 0;
  virtual void SetContent(TArray<uint8> &&Content) = 0;
  virtual void SetContentAsString(const FString &Content) = 0;
  virtual void SetHeader(const FString &Name, const FString &Value) = 0;
  virtual void SetTimeout(float Seconds) = 0;
  virtual void SetDelegateThreadPolicy(EHttpRequestDelegateThreadPolicy Policy) = 0;
  virtual bool ProcessRequest() = 0;
  virtual void CancelRequest() = 0;
  virtual FHttpRequestCompleteDelegate &OnProcessRequestComplete() = 0;
  virtual EHttpRequestStatus::Type GetStatus() const = 0;
};
