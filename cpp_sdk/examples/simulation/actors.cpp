// Steering, animation and command building of actors.hpp.
#include "actors.hpp"

#include <algorithm>
#include <cmath>
#include <tachy/tachy.hpp>

namespace {

constexpr float kTau = 6.2831853f;
constexpr float kMiddle = World::kSize / 2;
constexpr std::size_t kAgentGrain = 64;
constexpr std::size_t kCharacterGrain = 8;
constexpr std::size_t kCullGrain = 512;

Vec limited(Vec v, float most) {
  const float size = length(v);
  return size > most ? v * (most / size) : v;
}

Vec wish_of(const World &world, std::size_t agent, Vec goal) {
  const Vec own = world.position(agent);
  Vec apart, along;
  int neighbours = 0;
  world.near(own, [&](std::uint32_t other) {
    if (other == agent) return;
    const Vec away = own - world.position(other);
    const float distance = length(away);
    if (distance < 2.5f && distance > 1e-4f) apart = apart + away * (1 / (distance * distance));
    along = along + world.velocity(other);
    neighbours++;
  });
  Vec wish = limited((goal - own) * 0.5f, 4) + limited(apart * 3, 8);
  if (neighbours > 0) wish = wish + along * (20.0f / static_cast<float>(neighbours));
  return limited(wish, 12);
}

}  // namespace

void steer(World &world, Jobs &jobs, std::size_t agents, float time) {
  const Vec goal{kMiddle + 20 * std::cos(time * 0.4f), 4, kMiddle + 20 * std::sin(time * 0.4f)};
  jobs.split(std::min(agents, world.count()), kAgentGrain, [&](std::size_t begin, std::size_t end) {
    TACHY_SPAN("Steer", "sim.ai");
    for (std::size_t i = begin; i < end; i++) world.push(i, wish_of(world, i, goal));
  });
}

void Animation::update(Jobs &jobs, float time) {
  jobs.split(tips_.size() / kBones, kCharacterGrain, [&](std::size_t begin, std::size_t end) {
    TACHY_SPAN("Animate", "sim.animation");
    for (std::size_t character = begin; character < end; character++) pose(character, time);
  });
}

void Animation::pose(std::size_t character, float time) {
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

float Animation::height() const {
  float sum = 0;
  for (std::size_t i = 7; i < tips_.size(); i += 8) sum += tips_[i].y;
  return sum;
}

void Renderer::build(const World &world, Jobs &jobs, float time) {
  const Vec eye{kMiddle + 40 * std::sin(time * 0.2f), 20, kMiddle + 40 * std::cos(time * 0.2f)};
  const Vec to = Vec{kMiddle, 8, kMiddle} - eye;
  const Vec view = to * (1 / length(to));
  lists_.resize((world.count() + kCullGrain - 1) / kCullGrain);
  jobs.split(world.count(), kCullGrain, [&](std::size_t begin, std::size_t end) {
    TACHY_SPAN("Cull", "sim.render");
    std::vector<Command> &commands = lists_[begin / kCullGrain];
    commands.clear();
    for (std::size_t i = begin; i < end; i++) {
      const Vec there = world.position(i) - eye;
      const float ahead = dot(there, view);
      if (ahead < 1 || length(there - view * ahead) > 0.9f * ahead + world.radius(i)) continue;
      const std::uint64_t material = (i * 2654435761u) >> 4 & 0xF;
      commands.push_back({material << 32 | static_cast<std::uint32_t>(ahead * 1000), static_cast<std::uint32_t>(i)});
    }
  });
  TACHY_SPAN("SortCommands", "sim.render");
  sorted_.clear();
  for (const std::vector<Command> &list : lists_) sorted_.insert(sorted_.end(), list.begin(), list.end());
  std::sort(sorted_.begin(), sorted_.end(), [](const Command &a, const Command &b) { return a.key < b.key; });
}
