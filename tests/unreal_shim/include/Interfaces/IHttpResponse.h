#pragma once
#include "Interfaces/IHttpBase.h"

namespace EHttpResponseCodes {
enum Type {
  Unknown = 0,
  Ok = 200,
  Created = 201,
  Accepted = 202,
  NoContent = 204,
  BadRequest = 400,
  Denied = 401,
  Forbidden = 403,
  NotFound = 404,
  RequestTimeout = 408,
  Conflict = 409,
  RequestTooLarge = 413,
  TooManyRequests = 429,
  ServerError = 500,
  BadGateway = 502,
  ServiceUnavail = 503
};
}  // namespace EHttpResponseCodes
class IHttpResponse : public IHttpBase {
 public:
  virtual int32 GetResponseCode() const = 0;
  virtual FString GetContentAsString() const = 0;
};
