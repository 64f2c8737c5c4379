// What lives in the world: agents that steer bodies, skeletons that are animated, draw commands for what the camera
// sees.
#ifndef SIMULATION_ACTORS_HPP
#define SIMULATION_ACTORS_HPP

#include <cstdint>
#include <vector>

#include "world.hpp"

// The first `agents` bodies seek a moving goal, keep distance, and go with their neighbours.
void steer(World &world, Jobs &jobs, std::size_t agents, float time);

// Skeletons of 32 bones, each bone's angle blended from two clips and added up along its limb.
class Animation {
 public:
  explicit Animation(std::size_t characters) : tips_(characters * kBones) {}
  void update(Jobs &jobs, float time);
  float height() const;  // of all hands: something that depends on every pose

 private:
  static constexpr std::size_t kBones = 32;
  void pose(std::size_t character, float time);
  std::vector<Vec> tips_;
};

// The draw commands of a frame: bodies in the view, sorted by material and distance.
class Renderer {
 public:
  void build(const World &world, Jobs &jobs, float time);
  std::size_t commands() const { return sorted_.size(); }

 private:
  struct Command {
    std::uint64_t key;  // material, then distance
    std::uint32_t body;
  };
  std::vector<std::vector<Command>> lists_;
  std::vector<Command> sorted_;
};

#endif
