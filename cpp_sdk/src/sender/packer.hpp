// Compression of what waits: zstd level 1, or none where the SDK was built without it (TACHY_NO_ZSTD).
#ifndef TACHY_SENDER_PACKER_HPP
#define TACHY_SENDER_PACKER_HPP

#include <tachy/tachy.h>

#include <cstddef>

namespace tachy::sender {

class Packer {
 public:
  Packer() = default;
  ~Packer();
  Packer(const Packer &) = delete;
  Packer &operator=(const Packer &) = delete;
  // Bodies for which memory is short travel as they are.
  void pack(tachy_batch *batch);
  static bool packs();

 private:
  bool reserve(std::size_t size);

  void *context_ = nullptr;
  void *packed_ = nullptr;  // room for a compressed body
  std::size_t room_ = 0;
};

}  // namespace tachy::sender

#endif
