// FCompression over zlib.
#include "Misc/Compression.h"

#include <zlib.h>

static int Window(FName Format) { return Format == NAME_Gzip ? 15 + 16 : 15; }
bool FCompression::IsFormatValid(FName Format) { return Format == NAME_Gzip || Format == NAME_Zlib; }
int32 FCompression::CompressMemoryBound(FName, int32 Size, ECompressionFlags, int32) {
  return int32(compressBound(uLong(Size))) + 32;
}
bool FCompression::CompressMemory(FName Format, void *Compressed, int32 &CompressedSize, const void *Uncompressed,
                                  int32 UncompressedSize, ECompressionFlags Flags, int32) {
  if (!IsFormatValid(Format)) return false;
  z_stream Z = {};
  const int Level = Flags & COMPRESS_BiasSpeed  ? Z_BEST_SPEED
                    : Flags & COMPRESS_BiasSize ? Z_BEST_COMPRESSION
                                                : Z_DEFAULT_COMPRESSION;
  if (deflateInit2(&Z, Level, Z_DEFLATED, Window(Format), 8, Z_DEFAULT_STRATEGY) != Z_OK) return false;
  Z.next_in = static_cast<Bytef *>(const_cast<void *>(Uncompressed));
  Z.avail_in = uInt(UncompressedSize);
  Z.next_out = static_cast<Bytef *>(Compressed);
  Z.avail_out = uInt(CompressedSize);
  const bool bDone = deflate(&Z, Z_FINISH) == Z_STREAM_END;
  if (bDone) CompressedSize = int32(Z.total_out);
  deflateEnd(&Z);
  return bDone;
}
bool FCompression::UncompressMemory(FName Format, void *Uncompressed, int32 UncompressedSize, const void *Compressed,
                                    int32 CompressedSize, ECompressionFlags, int32) {
  if (!IsFormatValid(Format)) return false;
  z_stream Z = {};
  if (inflateInit2(&Z, Window(Format)) != Z_OK) return false;
  Z.next_in = static_cast<Bytef *>(const_cast<void *>(Compressed));
  Z.avail_in = uInt(CompressedSize);
  Z.next_out = static_cast<Bytef *>(Uncompressed);
  Z.avail_out = uInt(UncompressedSize);
  const bool bDone = inflate(&Z, Z_FINISH) == Z_STREAM_END && Z.total_out == uLong(UncompressedSize);
  inflateEnd(&Z);
  return bDone;
}
