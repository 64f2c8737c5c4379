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
HTTP_API const TCHAR *ToString(EHttpRequestStatus::Type Status);
}  // namespace EHttpRequestStatus
#if UE_SHIM_VERSION >= 504
enum class EHttpFailureReason : uint8 { None, ConnectionError, Cancelled, TimedOut, Other };
HTTP_API const TCHAR *LexToString(EHttpFailureReason Reason);
DECLARE_DELEGATE_ThreeParams(FHttpRequestProgressDelegate64, FHttpRequestPtr, uint64, uint64)
    DECLARE_DELEGATE_TwoParams(FHttpRequestStatusCodeReceivedDelegate, FHttpRequestPtr, int32)
#endif
        enum class EHttpRequestDelegateThreadPolicy : uint8 {
          CompleteOnGameThread = 0,
          CompleteOnHttpThread
        };
DECLARE_DELEGATE_ThreeParams(FHttpRequestCompleteDelegate, FHttpRequestPtr, FHttpResponsePtr, bool)
    DECLARE_DELEGATE_ThreeParams(FHttpRequestProgressDelegate, FHttpRequestPtr, int32, int32)
        DECLARE_DELEGATE_ThreeParams(FHttpRequestHeaderReceivedDelegate, FHttpRequestPtr, const FString &,
                                     const FString &)

            class IHttpRequest : public IHttpBase,
                                 public TSharedFromThis<IHttpRequest, ESPMode::ThreadSafe> {
 public:
  virtual FString GetVerb() const = 0;
  virtual void SetVerb(const FString &Verb) = 0;
  virtual void SetURL(const FString &URL) = 0;
  virtual void SetContent(const TArray<uint8> &Content) = 0;
  virtual void SetContent(TArray<uint8> &&Content) = 0;
  virtual void SetContentAsString(const FString &Content) = 0;
  virtual void SetHeader(const FString &Name, const FString &Value) = 0;
  virtual void AppendToHeader(const FString &Name, const FString &More) = 0;
  virtual void SetTimeout(float Seconds) = 0;
  virtual void ClearTimeout() = 0;
  virtual void SetDelegateThreadPolicy(EHttpRequestDelegateThreadPolicy Policy) = 0;
  virtual EHttpRequestDelegateThreadPolicy GetDelegateThreadPolicy() const = 0;
  virtual bool ProcessRequest() = 0;
  virtual void CancelRequest() = 0;
  virtual FHttpRequestCompleteDelegate &OnProcessRequestComplete() = 0;
#if UE_SHIM_VERSION < 508
#if UE_SHIM_VERSION >= 504
  UE_DEPRECATED(5.4, "Use OnRequestProgress64.")
#endif
  virtual FHttpRequestProgressDelegate &OnRequestProgress() = 0;
#endif
#if UE_SHIM_VERSION >= 504
  virtual FHttpRequestProgressDelegate64 &OnRequestProgress64() = 0;
  virtual FHttpRequestStatusCodeReceivedDelegate &OnStatusCodeReceived() = 0;
  virtual EHttpFailureReason GetFailureReason() const = 0;
  virtual void SetActivityTimeout(float Seconds) = 0;
  virtual void ProcessRequestUntilComplete() = 0;
#endif
  virtual FHttpRequestHeaderReceivedDelegate &OnHeaderReceived() = 0;
  virtual EHttpRequestStatus::Type GetStatus() const = 0;
  virtual const FHttpResponsePtr GetResponse() const = 0;
  virtual void Tick(float DeltaSeconds) = 0;
  virtual float GetElapsedTime() const = 0;
};
