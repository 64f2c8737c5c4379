// What lives in the world: agents that steer bodies, skeletons that are animated, draw commands for what the camera
// sees.
#ifndef SIMULATION_ACTORS_HPP
#define SIMULATION_ACTORS_HPP

#include <cstdint>
#include <vector>

#include "jobs.hpp"
#include "world.hpp"

// The first bodies of the world are agents: they seek a moving goal, keep distance, and go with their neighbours.
class Agents {
 public:
  Agents(World &world, std::size_t count) : world_(world), count_(std::min(count, world.count())) {}
  Task *add_update(Graph &graph, float time);

 private:
  void steer(std::size_t begin, std::size_t end, Vec goal);
  World &world_;
  std::size_t count_;
};

// Skeletons of 32 bones, each bone's angle blended from two clips and added up along its limb.
class Animation {
 public:
  explicit Animation(std::size_t characters) : tips_(characters * kBones) {}
  Task *add_update(Graph &graph, float time);
  float height() const;  // of all hands: something that depends on every pose

 private:
  static constexpr std::size_t kBones = 32;
  void pose(std::size_t begin, std::size_t end, float time);
  std::vector<Vec> tips_;
};

struct Command {
  std::uint64_t key;  // material, then distance
  std::uint32_t body;
};

// The draw commands of a frame: bodies in the view, sorted by material and distance.
class Renderer {
 public:
  explicit Renderer(const World &world) : world_(world) {}
  Task *add_build(Graph &graph, float time, Task *after);
  std::size_t commands() const { return sorted_.size(); }

 private:
  void cull(std::size_t begin, std::size_t end, std::size_t list, Vec eye, Vec view);
  void sort();
  const World &world_;
  std::vector<std::vector<Command>> lists_;
  std::vector<Command> sorted_;
};

#endif
