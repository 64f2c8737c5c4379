// Gzip and Zlib are zlib's; other formats are unknown here.
#pragma once
#include "UObject/NameTypes.h"

enum ECompressionFlags {
  COMPRESS_None = 0,
  COMPRESS_BiasSize = 0x10,
  COMPRESS_BiasSpeed = 0x20,
  COMPRESS_BiasMemory = COMPRESS_BiasSize
};
struct CORE_API FCompression {
  static int32 CompressMemoryBound(FName Format, int32 UncompressedSize, ECompressionFlags Flags = COMPRESS_None,
                                   int32 Data = 0);
  static bool CompressMemory(FName Format, void *Compressed, int32 &CompressedSize, const void *Uncompressed,
                             int32 UncompressedSize, ECompressionFlags Flags = COMPRESS_None, int32 Data = 0);
  static bool UncompressMemory(FName Format, void *Uncompressed, int32 UncompressedSize, const void *Compressed,
                               int32 CompressedSize, ECompressionFlags Flags = COMPRESS_None, int32 Data = 0);
  static bool IsFormatValid(FName Format);
};
