// One request as a curl transfer. Content-Encoding is the user's business: nothing is compressed or unpacked here.
#include "HttpRequest.h"

#include <curl/curl.h>

#include "HttpThread.h"

using unreal_shim::FHttpRequest;
using unreal_shim::FHttpResponse;

FString unreal_shim::HeaderOf(const FHeaders &Headers, const FString &Name) {
  for (const TPair<FString, FString> &H : Headers)
    if (H.Key == Name) return H.Value;
  return FString();
}
TArray<FString> unreal_shim::LinesOf(const FHeaders &Headers) {
  TArray<FString> Result;
  for (const TPair<FString, FString> &H : Headers) Result.Add(H.Key + TEXT(": ") + H.Value);
  return Result;
}
void FHttpRequest::SetHeader(const FString &Name, const FString &Value) {
  for (TPair<FString, FString> &H : Headers)
    if (H.Key == Name) {
      H.Value = Value;
      return;
    }
  Headers.Emplace(Name, Value);
}
static size_t OnBody(char *Bytes, size_t Size, size_t N, void *User) {
  FHttpRequest *Request = static_cast<FHttpRequest *>(User);
  Request->Response->Content.Append(reinterpret_cast<const uint8 *>(Bytes), int32(Size * N));
  return Size * N;
}
static size_t OnHeader(char *Bytes, size_t Size, size_t N, void *User) {
  FHttpRequest *Request = static_cast<FHttpRequest *>(User);
  FString Name, Value;
  const FString Line(FAnsiStringView(Bytes, int32(Size * N)));
  if (Line.StartsWith(TEXT("HTTP/"))) {
    Request->Response->Headers.Reset();
  } else if (Line.TrimEnd().Split(TEXT(":"), &Name, &Value)) {
    Request->Response->Headers.Emplace(Name, Value.TrimStartAndEnd());
  }
  return Size * N;
}
static int OnProgress(void *User, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<FHttpRequest *>(User)->bCancelled ? 1 : 0;
}

void FHttpRequest::BeginTransfer() {
  Response = MakeShared<FHttpResponse>();
  Response->URL = URL;
  Easy = curl_easy_init();
  curl_easy_setopt(Easy, CURLOPT_URL, TCHAR_TO_UTF8(*URL));
  curl_easy_setopt(Easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(Easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(Easy, CURLOPT_PRIVATE, static_cast<void *>(this));
  curl_easy_setopt(Easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(Easy, CURLOPT_WRITEDATA, static_cast<void *>(this));
  curl_easy_setopt(Easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(Easy, CURLOPT_HEADERDATA, static_cast<void *>(this));
  curl_easy_setopt(Easy, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(Easy, CURLOPT_XFERINFODATA, static_cast<void *>(this));
  curl_easy_setopt(Easy, CURLOPT_NOPROGRESS, 0L);
  if (Timeout > 0) curl_easy_setopt(Easy, CURLOPT_TIMEOUT_MS, long(Timeout * 1000));
  if (Verb == TEXT("POST") || Verb == TEXT("PUT") || Content.Num()) {
    curl_easy_setopt(Easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(Content.Num()));
    curl_easy_setopt(Easy, CURLOPT_POSTFIELDS, Content.Num() ? reinterpret_cast<const char *>(Content.GetData()) : "");
  }
  if (Verb == TEXT("HEAD")) curl_easy_setopt(Easy, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(Easy, CURLOPT_CUSTOMREQUEST, TCHAR_TO_UTF8(*Verb));
  for (const FString &Line : LinesOf(Headers)) Lines = curl_slist_append(Lines, TCHAR_TO_UTF8(*Line));
  Lines = curl_slist_append(Lines, "Expect:");
  curl_easy_setopt(Easy, CURLOPT_HTTPHEADER, Lines);
}
void FHttpRequest::EndTransfer(int CurlCode) {
  long Code = 0;
  curl_easy_getinfo(Easy, CURLINFO_RESPONSE_CODE, &Code);
  curl_easy_cleanup(Easy);
  curl_slist_free_all(Lines);
  Easy = nullptr;
  Lines = nullptr;
  bFailed = CurlCode != CURLE_OK || bCancelled;
  if (bFailed)
    Response.Reset();
  else
    Response->Code = int32(Code);
}
void FHttpRequest::Finish() {
  Status = bFailed ? EHttpRequestStatus::Failed : EHttpRequestStatus::Succeeded;
  const FHttpRequestPtr This = AsShared();
  Complete.ExecuteIfBound(This, Response, !bFailed);
}
bool FHttpRequest::ProcessRequest() {
  FHttpThread *Thread = FHttpThread::Get();
  if (!Thread || Status == EHttpRequestStatus::Processing ||
      !(URL.StartsWith(TEXT("http://")) || URL.StartsWith(TEXT("https://")))) {
    bFailed = true;
    Finish();
    return false;
  }
  Status = EHttpRequestStatus::Processing;
  bCancelled = bFailed = false;
  Thread->Add(StaticCastSharedRef<FHttpRequest>(AsShared()));
  return true;
}
void FHttpRequest::CancelRequest() {
  if (Status != EHttpRequestStatus::Processing) return;
  bCancelled = true;
  if (FHttpThread *Thread = FHttpThread::Get()) Thread->Wake();
}
