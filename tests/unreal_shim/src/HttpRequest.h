// A request of the shim: what the user set, what came back, who has it now.
#pragma once
#include <atomic>
#include <string>

#include "HttpModule.h"
#include "State.h"

struct curl_slist;
namespace unreal_shim {
using FHeaders = TArray<TPair<FString, FString>>;
FString HeaderOf(const FHeaders &Headers, const FString &Name);
TArray<FString> LinesOf(const FHeaders &Headers);

class FHttpResponse final : public IHttpResponse {
 public:
#if UE_SHIM_VERSION >= 504
  const FString &GetURL() const override { return URL; }
#else
  FString GetURL() const override { return URL; }
#endif
  FString GetHeader(const FString &Name) const override { return HeaderOf(Headers, Name); }
  const TArray<uint8> &GetContent() const override { return Content; }
  int32 GetResponseCode() const override { return Code; }
  FString GetContentAsString() const override {
    return FString(FUtf8StringView(reinterpret_cast<const UTF8CHAR *>(Content.GetData()), Content.Num()));
  }
  FString URL;
  FHeaders Headers;
  TArray<uint8> Content;
  int32 Code = 0;
};

class FHttpRequest final : public IHttpRequest {
 public:
#if UE_SHIM_VERSION >= 504
  const FString &GetURL() const override { return URL; }
#else
  FString GetURL() const override { return URL; }
#endif
  FString GetHeader(const FString &Name) const override { return HeaderOf(Headers, Name); }
  const TArray<uint8> &GetContent() const override { return Content; }
  void SetVerb(const FString &In) override { Verb = In; }
  void SetURL(const FString &In) override { URL = In; }
  void SetContent(const TArray<uint8> &In) override { Content = In; }
  void SetContent(TArray<uint8> &&In) override { Content = MoveTemp(In); }
  void SetContentAsString(const FString &In) override {
    const FTCHARToUTF8 Utf8(*In);
    Content = TArray<uint8>(reinterpret_cast<const uint8 *>(Utf8.Get()), Utf8.Length());
  }
  void SetHeader(const FString &Name, const FString &Value) override;
  void SetTimeout(float Seconds) override { Timeout = Seconds; }
  void SetDelegateThreadPolicy(EHttpRequestDelegateThreadPolicy In) override { Policy = In; }
  bool ProcessRequest() override;
  void CancelRequest() override;
  FHttpRequestCompleteDelegate &OnProcessRequestComplete() override { return Complete; }
  EHttpRequestStatus::Type GetStatus() const override { return Status; }

  void BeginTransfer();            // on the HTTP thread
  void EndTransfer(int CurlCode);  // there too
  void Finish();                   // calls the delegate, on the thread that the policy says
  FString URL, Verb{TEXT("GET")};
  FHeaders Headers;
  TArray<uint8> Content;
  float Timeout = 0;
  EHttpRequestDelegateThreadPolicy Policy = EHttpRequestDelegateThreadPolicy::CompleteOnGameThread;
  std::atomic<EHttpRequestStatus::Type> Status{EHttpRequestStatus::NotStarted};
  std::atomic<bool> bCancelled{false};
  TSharedPtr<FHttpResponse> Response;
  void *Easy = nullptr;
  curl_slist *Lines = nullptr;
  bool bFailed = false;

 private:
  FHttpRequestCompleteDelegate Complete;
};
}  // namespace unreal_shim
