#pragma once
#include "CoreMinimal.h"

enum class EImageFormat : int8 { Invalid = -1, PNG = 0, JPEG, GrayscaleJPEG, BMP, ICO, EXR };
enum class ERGBFormat : int8 { Invalid = -1, RGBA = 0, BGRA = 1, Gray = 2 };
class IImageWrapper {
 public:
  virtual ~IImageWrapper() = default;
  virtual bool SetRaw(const void *Data, int64 Size, const int32 Width, const int32 Height, const ERGBFormat Format,
                      const int32 BitDepth, const int32 BytesPerRow = 0) = 0;
  virtual TArray64<uint8> GetCompressed(int32 Quality = 0) = 0;
  virtual int32 GetWidth() const = 0;
  virtual int32 GetHeight() const = 0;
};
