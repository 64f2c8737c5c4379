// Asset streaming of streaming.hpp. The "files" are made on the spot: run lengths, which are expanded and checked.
#define TACHY_TARGET "sim.streaming"
#include "streaming.hpp"

#include <utility>

namespace {

// Appends the runs and returns a checksum of them.
std::uint32_t expand(const std::vector<std::uint8_t> &packed, std::vector<std::uint8_t> &out) {
  for (std::size_t i = 0; i + 1 < packed.size(); i += 2) out.insert(out.end(), packed[i], packed[i + 1]);
  std::uint32_t sum = 2166136261u;
  for (const std::uint8_t byte : out) sum = (sum ^ byte) * 16777619u;
  return sum;
}

}  // namespace

Streaming::Streaming(Jobs &jobs, std::uint64_t seed) : jobs_(jobs), random_(seed), thread_([this] { read_thread(); }) {}

Streaming::~Streaming() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finished_ + ready_.size() == asked_; });
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Streaming::request() {
  TACHY_SPAN("RequestAsset");
  static const char *const kinds[] = {"mesh", "texture", "sound", "clip"};
  const auto asset = std::make_shared<Asset>();
  asset->seed = random_.next();
  asset->name = std::string(kinds[asset->seed % 4]) + "/" + std::to_string(asset->seed % 1000);
  asset->asked = std::chrono::steady_clock::now();
  asset->load = TACHY_ASYNC("LoadAsset");
  asset->stage = TACHY_ASYNC("ReadAsset", TACHY_TARGET, asset->load);
  asked_++;
  const std::lock_guard lock(mutex_);
  to_read_.push_back(asset);
  changed_.notify_all();
}

void Streaming::read_thread() {
  tachy::set_thread_name("streaming");
  for (;;) {
    Owner asset;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !to_read_.empty(); });
      if (to_read_.empty()) return;
      asset = std::move(to_read_.front());
      to_read_.pop_front();
    }
    read(*asset);
    asset->stage = TACHY_ASYNC("UnpackAsset", TACHY_TARGET, asset->load);
    jobs_.submit([this, asset] {
      unpack(*asset);
      const std::lock_guard lock(mutex_);
      ready_.push_back(asset);
      changed_.notify_all();
    });
  }
}

void Streaming::read(Asset &asset) {
  TACHY_SPAN("ReadFile");
  Random random(asset.seed);
  const std::size_t runs = 2000 + asset.seed % 6000;
  for (std::size_t i = 0; i < runs; i++) {
    asset.packed.push_back(static_cast<std::uint8_t>(1 + random.next() % 30));
    asset.packed.push_back(static_cast<std::uint8_t>(random.next()));
  }
  std::vector<std::uint8_t> whole;
  asset.expected = expand(asset.packed, whole);
  if (asset.seed % 16 == 0) asset.packed[runs] ^= 1;  // a bad disk
  TACHY_LOG(TACHY_LEVEL_TRACE, "read %s: %zu bytes", asset.name, asset.packed.size());
}

void Streaming::unpack(Asset &asset) {
  TACHY_SPAN("UnpackAsset");
  const std::uint32_t found = expand(asset.packed, asset.unpacked);
  if (found != asset.expected) {
    TACHY_LOG(TACHY_LEVEL_ERROR, "%s is damaged: checksum %08x, expected %08x", asset.name, found, asset.expected);
    asset.unpacked.clear();
  }
}

void Streaming::finish() {
  TACHY_SPAN("FinishAssets");
  static const tachy::Properties loader{{"pool", "streaming"}, {"device", "disk"}};
  std::deque<Owner> ready;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(ready_);
    finished_ += ready.size();
  }
  for (const Owner &asset : ready) {
    asset->stage = TACHY_ASYNC("UploadAsset", TACHY_TARGET, asset->load);
    bytes_ += asset->unpacked.size();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - asset->asked;
    asset->stage.end();
    asset->load.end();
    if (asset->unpacked.empty()) continue;
    TACHY_LOG_WITH(loader, TACHY_LEVEL_INFO, "loaded %s: %zu bytes in %.2f ms", asset->name, asset->unpacked.size(),
                   took.count());
    TACHY_METRIC("asset load", took.count(), "ms", loader);
  }
}
