// An answer of HTTP/1.1, as its bytes come.
#ifndef TACHY_SENDER_READER_HPP
#define TACHY_SENDER_READER_HPP

#include <cstdint>
#include <string>

#include "../transport.hpp"

namespace tachy::sender {

class Reader {
 public:
  void begin(Answer *answer);
  bool feed(const char *bytes, std::size_t size);  // false: this is not HTTP
  bool end();                                      // the connection has been closed: whether the answer is whole
  bool done() const { return state_ == kDone; }
  // Whether another request may follow on this connection.
  bool keeps_connection() const { return keeps_; }

 private:
  enum State { kHead, kSized, kChunkSize, kChunk, kChunkEnd, kTrailer, kUntilClosed, kDone };
  bool take_line();
  bool take_head_line();
  bool take_chunk_size();
  void begin_body();

  static constexpr std::size_t kHeadLimit = 1u << 18;

  Answer *answer_ = nullptr;
  State state_ = kHead;
  std::string line_;
  std::size_t head_size_ = 0;
  bool keeps_ = true, chunked_ = false, sized_ = false;
  std::uint64_t left_ = 0;  // of the body, or the chunk
};

}  // namespace tachy::sender

#endif
