#include "packer.hpp"

#if defined(TACHY_NO_ZSTD)

namespace tachy::sender {

Packer::~Packer() {}
void Packer::pack(tachy_batch *) {}
bool Packer::packs() { return false; }

}  // namespace tachy::sender

#else

#include <zstd.h>

#include <cstdlib>

namespace tachy::sender {

Packer::~Packer() {
  ZSTD_freeCCtx(static_cast<ZSTD_CCtx *>(context_));
  free(packed_);
}

bool Packer::packs() { return true; }

bool Packer::reserve(std::size_t size) {
  if (!context_) context_ = ZSTD_createCCtx();
  if (!context_) return false;
  if (size <= room_) return true;
  free(packed_);
  packed_ = malloc(size);
  room_ = packed_ ? size : 0;
  return packed_ != nullptr;
}

void Packer::pack(tachy_batch *batch) {
  const uint32_t count = tachy_batch_block_count(batch);
  for (uint32_t block = 0; block < count; block++) {
    uint64_t size = 0;
    const void *const body = tachy_batch_body(batch, block, &size);
    if (!body || size == 0 || tachy_batch_codec(batch, block) != TACHY_CODEC_NONE) continue;
    const std::size_t plain = static_cast<std::size_t>(size);
    if (!reserve(ZSTD_compressBound(plain))) return;
    const std::size_t done = ZSTD_compressCCtx(static_cast<ZSTD_CCtx *>(context_), packed_, room_, body, plain, 1);
    if (!ZSTD_isError(done)) tachy_batch_replace(batch, block, TACHY_CODEC_ZSTD, packed_, done);
  }
}

}  // namespace tachy::sender

#endif
