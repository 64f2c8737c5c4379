// Physics of world.hpp. Every body's correction is computed from the others' positions of before, so the result is the
// same in any order of tasks and on any number of threads.
#define TACHY_TARGET "sim.physics"
#include "world.hpp"

#include <algorithm>
#include <cstring>
#include <tachy/tachy.hpp>

namespace {

constexpr Vec kGravity{0, -9.81f, 0};
constexpr float kDamping = 0.999f;
constexpr float kStiffness = 0.45f;  // of half an overlap, removed per step
constexpr std::size_t kGrain = 256;  // bodies per task

float into_box(float x, float radius) { return std::clamp(x, radius, World::kSize - radius); }

}  // namespace

World::World(std::size_t bodies, std::uint64_t seed)
    : position_(bodies),
      previous_(bodies),
      corrected_(bodies),
      acceleration_(bodies),
      radius_(bodies),
      starts_(static_cast<std::size_t>(kCells * kCells * kCells) + 1),
      bodies_(bodies) {
  Random random(seed);
  for (std::size_t i = 0; i < bodies; i++) {
    position_[i] = {random.between(1, kSize - 1), random.between(1, kSize / 2), random.between(1, kSize - 1)};
    const Vec velocity{random.between(-0.05f, 0.05f), 0, random.between(-0.05f, 0.05f)};
    previous_[i] = position_[i] - velocity;
    radius_[i] = random.between(0.3f, 0.95f);
  }
  build_grid();
}

void World::integrate(std::size_t begin, std::size_t end, float seconds) {
  TACHY_SPAN("Integrate");
  for (std::size_t i = begin; i < end; i++) {
    const Vec moved = (position_[i] - previous_[i]) * kDamping;
    const Vec push = (kGravity + acceleration_[i]) * (seconds * seconds);
    previous_[i] = position_[i];
    position_[i] = position_[i] + moved + push;
  }
}

void World::build_grid() {
  TACHY_SPAN("BuildGrid");
  std::fill(starts_.begin(), starts_.end(), 0u);
  const auto cell_of = [&](std::size_t i) {
    return index(cell(position_[i].x), cell(position_[i].y), cell(position_[i].z));
  };
  for (std::size_t i = 0; i < position_.size(); i++) starts_[cell_of(i)]++;
  std::uint32_t sum = 0;
  for (std::uint32_t &start : starts_) {
    sum += start;
    start = sum;
  }
  for (std::size_t i = position_.size(); i-- > 0;) bodies_[--starts_[cell_of(i)]] = static_cast<std::uint32_t>(i);
}

void World::separate(std::size_t begin, std::size_t end) {
  TACHY_SPAN("Separate");
  int contacts = 0;
  for (std::size_t i = begin; i < end; i++) {
    const Vec own = position_[i];
    Vec correction;
    near(own, [&](std::uint32_t other) {
      if (other == i) return;
      const Vec away = own - position_[other];
      const float reach = radius_[i] + radius_[other];
      const float distance2 = dot(away, away);
      if (distance2 >= reach * reach || distance2 < 1e-8f) return;
      const float distance = std::sqrt(distance2);
      correction = correction + away * (kStiffness * (reach - distance) / distance);
      contacts += other > i;
    });
    const Vec moved = own + correction;
    corrected_[i] = {into_box(moved.x, radius_[i]), into_box(moved.y, radius_[i]), into_box(moved.z, radius_[i])};
  }
  contacts_.fetch_add(contacts);
}

Task *World::add_step(Graph &graph, float seconds, Task *after) {
  const auto integrate_part = [this, seconds](std::size_t b, std::size_t e) { integrate(b, e, seconds); };
  const auto separate_part = [this](std::size_t b, std::size_t e) { separate(b, e); };
  Task *const moved = graph.split(count(), kGrain, integrate_part, {after});
  Task *const grid = graph.add(
      [this] {
        contacts_ = 0;
        build_grid();
      },
      {moved});
  Task *const separated = graph.split(count(), kGrain, separate_part, {grid});
  return graph.add([this] { position_.swap(corrected_); }, {separated});
}

std::uint64_t World::checksum() const {
  std::uint64_t sum = 14695981039346656037u;
  for (const Vec &p : position_) {
    std::uint32_t words[3];
    std::memcpy(words, &p, sizeof words);
    for (const std::uint32_t word : words) sum = (sum ^ word) * 1099511628211u;
  }
  return sum;
}
