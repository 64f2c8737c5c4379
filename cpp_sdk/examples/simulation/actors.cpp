// Steering, animation and command building of actors.hpp.
#define TACHY_TARGET "sim.actors"
#include "actors.hpp"

#include <algorithm>
#include <cmath>
#include <tachy/tachy.hpp>

namespace {

constexpr float kTau = 6.2831853f;
constexpr float kTooClose = 2.5f;
constexpr std::size_t kAgentGrain = 64;
constexpr std::size_t kCharacterGrain = 8;
constexpr std::size_t kCullGrain = 512;

Vec limited(Vec v, float most) {
  const float size = length(v);
  return size > most ? v * (most / size) : v;
}

}  // namespace

Task *Agents::add_update(Graph &graph, float time) {
  const float middle = World::kSize / 2;
  const Vec goal{middle + 20 * std::cos(time * 0.4f), 4, middle + 20 * std::sin(time * 0.4f)};
  return graph.split(count_, kAgentGrain, [this, goal](std::size_t b, std::size_t e) { steer(b, e, goal); });
}

void Agents::steer(std::size_t begin, std::size_t end, Vec goal) {
  TACHY_SPAN("Steer", "sim.ai");
  for (std::size_t i = begin; i < end; i++) {
    const Vec own = world_.position(i);
    Vec apart, along;
    int neighbours = 0;
    world_.near(own, [&](std::uint32_t other) {
      if (other == i) return;
      const Vec away = own - world_.position(other);
      const float distance = length(away);
      if (distance < kTooClose && distance > 1e-4f) apart = apart + away * (1 / (distance * distance));
      along = along + world_.velocity(other);
      neighbours++;
    });
    Vec wish = limited((goal - own) * 0.5f, 4) + limited(apart * 3, 8);
    if (neighbours > 0) wish = wish + along * (20.0f / static_cast<float>(neighbours));
    world_.push(i, limited(wish, 12));
  }
}

Task *Animation::add_update(Graph &graph, float time) {
  return graph.split(tips_.size() / kBones, kCharacterGrain,
                     [this, time](std::size_t b, std::size_t e) { pose(b, e, time); });
}

void Animation::pose(std::size_t begin, std::size_t end, float time) {
  TACHY_SPAN("Animate", "sim.animation");
  for (std::size_t character = begin; character < end; character++) {
    TACHY_SPAN("Skeleton", "sim.animation");
    const float phase = static_cast<float>(character) * 0.37f;
    const float blend = 0.5f + 0.5f * std::sin(time * 0.7f + phase);
    float angle = 0;
    Vec tip;
    for (std::size_t bone = 0; bone < kBones; bone++) {
      const float way = static_cast<float>(bone) / kBones;
      const float walk = 0.4f * std::sin(kTau * (time + way) + phase);
      const float idle = 0.1f * std::sin(kTau * 0.3f * time + phase);
      if (bone % 8 == 0) tip = {angle = 0, 0, 0};  // four limbs
      angle += walk * blend + idle * (1 - blend);
      tip = tip + Vec{std::sin(angle) * std::cos(idle), std::cos(angle), std::sin(idle)} * 0.1f;
      tips_[character * kBones + bone] = tip;
    }
  }
}

float Animation::height() const {
  float sum = 0;
  for (std::size_t i = 7; i < tips_.size(); i += 8) sum += tips_[i].y;
  return sum;
}

Task *Renderer::add_build(Graph &graph, float time, Task *after) {
  const float middle = World::kSize / 2;
  const Vec eye{middle + 40 * std::sin(time * 0.2f), 20, middle + 40 * std::cos(time * 0.2f)};
  const Vec to{middle - eye.x, 8 - eye.y, middle - eye.z};
  const Vec view = to * (1 / length(to));
  lists_.resize((world_.count() + kCullGrain - 1) / kCullGrain);
  Task *const culled =
      graph.split(world_.count(), kCullGrain,
                  [this, eye, view](std::size_t b, std::size_t e) { cull(b, e, b / kCullGrain, eye, view); }, {after});
  return graph.add([this] { sort(); }, {culled});
}

void Renderer::cull(std::size_t begin, std::size_t end, std::size_t list, Vec eye, Vec view) {
  TACHY_SPAN("Cull", "sim.render");
  std::vector<Command> &commands = lists_[list];
  commands.clear();
  for (std::size_t i = begin; i < end; i++) {
    const Vec to = world_.position(i) - eye;
    const float ahead = dot(to, view);
    if (ahead < 1 || length(to - view * ahead) > 0.9f * ahead + world_.radius(i)) continue;
    const std::uint64_t material = (i * 2654435761u) >> 4 & 0xF;
    commands.push_back({material << 32 | static_cast<std::uint32_t>(ahead * 1000), static_cast<std::uint32_t>(i)});
  }
}

void Renderer::sort() {
  TACHY_SPAN("SortCommands", "sim.render");
  sorted_.clear();
  for (const std::vector<Command> &list : lists_) sorted_.insert(sorted_.end(), list.begin(), list.end());
  std::sort(sorted_.begin(), sorted_.end(), [](const Command &a, const Command &b) { return a.key < b.key; });
}
