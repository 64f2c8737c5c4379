#include "reader.hpp"

#include <cstdlib>
#include <cstring>

namespace tachy::sender {

void Reader::begin(Answer *answer) {
  answer->begin();
  answer_ = answer;
  state_ = kHead;
  line_.clear();
  head_size_ = 0;
  keeps_ = true;
  chunked_ = sized_ = false;
  left_ = 0;
}

bool Reader::feed(const char *bytes, std::size_t size) {
  const char *const end = bytes + size;
  while (bytes < end) {
    const std::size_t there = static_cast<std::size_t>(end - bytes);
    if (state_ == kDone) {  // more than was asked for
      keeps_ = false;
      return true;
    }
    if (state_ == kSized || state_ == kChunk || state_ == kUntilClosed) {
      const std::size_t taken = state_ != kUntilClosed && left_ < there ? static_cast<std::size_t>(left_) : there;
      answer_->take_body(bytes, taken);
      bytes += taken;
      left_ -= taken;
      if (left_ == 0 && state_ == kSized) state_ = kDone;
      if (left_ == 0 && state_ == kChunk) state_ = kChunkEnd;
      continue;
    }
    const char *const newline = static_cast<const char *>(memchr(bytes, '\n', there));
    const std::size_t taken = newline ? static_cast<std::size_t>(newline - bytes) + 1 : there;
    head_size_ += taken;
    if (head_size_ > kHeadLimit) return false;
    line_.append(bytes, taken);
    bytes += taken;
    if (newline && !take_line()) return false;
  }
  return true;
}

bool Reader::end() {
  if (state_ == kUntilClosed) state_ = kDone;
  return done();
}

bool Reader::take_line() {
  bool ok = true;
  const bool empty = line_ == "\r\n" || line_ == "\n";
  if (state_ == kHead) {
    ok = take_head_line();
  } else if (state_ == kChunkSize) {
    ok = take_chunk_size();
  } else if (state_ == kChunkEnd) {
    ok = empty;
    state_ = kChunkSize;
  } else if (empty) {
    state_ = kDone;  // of a trailer
  }
  if (state_ != kTrailer && state_ != kHead) head_size_ = 0;
  line_.clear();
  return ok;
}

bool Reader::take_head_line() {
  if (line_ == "\r\n" || line_ == "\n") {
    if (answer_->status == 0 || answer_->status == 101) return false;
    begin_body();
    return true;
  }
  if (answer_->status == 0 && line_.compare(0, 7, "HTTP/1.") != 0) return false;
  if (line_.size() <= Answer::kLineLimit) answer_->take_line(line_);
  if (line_.compare(0, 8, "HTTP/1.0") == 0) keeps_ = false;
  std::string_view value;
  if (read_header(line_, "content-length", &value)) {
    char *end = nullptr;
    left_ = strtoull(value.data(), &end, 10);
    sized_ = !value.empty() && end == value.data() + value.size() && value[0] != '-';
    if (!sized_) return false;
  }
  if (read_header(line_, "transfer-encoding", &value)) chunked_ = true;
  if (read_header(line_, "connection", &value)) {
    if (value.size() == 5 && (value[0] == 'c' || value[0] == 'C')) keeps_ = false;  // close
  }
  return true;
}

void Reader::begin_body() {
  if (answer_->status < 200) {  // "continue" and the like: the answer comes
    begin(answer_);
  } else if (answer_->status == 204 || answer_->status == 304) {
    state_ = kDone;
  } else if (chunked_) {
    state_ = kChunkSize;
  } else if (sized_) {
    state_ = left_ ? kSized : kDone;
  } else {
    keeps_ = false;
    state_ = kUntilClosed;
  }
}

bool Reader::take_chunk_size() {
  char *end = nullptr;
  left_ = strtoull(line_.c_str(), &end, 16);
  const char first = line_[0];
  if (end == line_.c_str() || first == '-' || first == '+' || !strchr("\r\n; \t", *end)) return false;
  state_ = left_ ? kChunk : kTrailer;
  return true;
}

}  // namespace tachy::sender
