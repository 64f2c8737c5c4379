// The module ImageWrapper: JPEG by libjpeg.
#include <stdio.h>
#include <stdlib.h>

// It wants FILE before it.
#include <jpeglib.h>

#include "IImageWrapperModule.h"
#include "Modules/ModuleManager.h"

namespace {
class FJpeg final : public IImageWrapper {
 public:
  bool SetRaw(const void *Data, int64 Size, const int32 InWidth, const int32 InHeight, const ERGBFormat InFormat,
              const int32 BitDepth, const int32) override {
    if (BitDepth != 8 || Size != int64(InWidth) * InHeight * 4 ||
        (InFormat != ERGBFormat::BGRA && InFormat != ERGBFormat::RGBA))
      return false;
    Pixels = TArray64<uint8>(static_cast<const uint8 *>(Data), Size);
    Width = InWidth;
    Height = InHeight;
    Format = InFormat;
    return true;
  }
  TArray64<uint8> GetCompressed(int32 Quality) override {
    jpeg_compress_struct C;
    jpeg_error_mgr Errors;
    C.err = jpeg_std_error(&Errors);
    jpeg_create_compress(&C);
    unsigned char *Out = nullptr;
    unsigned long Size = 0;
    jpeg_mem_dest(&C, &Out, &Size);
    C.image_width = JDIMENSION(Width);
    C.image_height = JDIMENSION(Height);
    C.input_components = 4;
    C.in_color_space = Format == ERGBFormat::BGRA ? JCS_EXT_BGRX : JCS_EXT_RGBX;
    jpeg_set_defaults(&C);
    jpeg_set_quality(&C, Quality > 0 && Quality <= 100 ? Quality : 85, TRUE);
    jpeg_start_compress(&C, TRUE);
    while (C.next_scanline < C.image_height) {
      JSAMPROW Row = Pixels.GetData() + int64(C.next_scanline) * Width * 4;
      jpeg_write_scanlines(&C, &Row, 1);
    }
    jpeg_finish_compress(&C);
    jpeg_destroy_compress(&C);
    TArray64<uint8> Result(Out, int64(Size));
    free(Out);
    return Result;
  }
  int32 GetWidth() const override { return Width; }
  int32 GetHeight() const override { return Height; }

 private:
  TArray64<uint8> Pixels;
  int32 Width = 0, Height = 0;
  ERGBFormat Format = ERGBFormat::BGRA;
};
class FModule final : public IImageWrapperModule {
  TSharedPtr<IImageWrapper> CreateImageWrapper(const EImageFormat Format, const TCHAR *) override {
    if (Format != EImageFormat::JPEG) return nullptr;
    return MakeShared<FJpeg>();
  }
};
}  // namespace
static const FStaticallyLinkedModuleRegistrant<FModule> Registrant(TEXT("ImageWrapper"));
