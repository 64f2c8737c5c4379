// The bodies: spheres in a box under gravity, moved by verlet integration, kept apart with the help of a uniform grid.
#ifndef SIMULATION_WORLD_HPP
#define SIMULATION_WORLD_HPP

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "jobs.hpp"

struct Vec {
  float x = 0, y = 0, z = 0;
};
inline Vec operator+(Vec a, Vec b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec operator*(Vec a, float s) { return {a.x * s, a.y * s, a.z * s}; }
inline float dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline float length(Vec a) { return std::sqrt(dot(a, a)); }

// PCG-like: the same numbers everywhere for the same seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 33);
  }
  float between(float low, float high) {
    return low + (high - low) * static_cast<float>(next() & 0xFFFFFF) / 16777216.0f;
  }

 private:
  std::uint64_t state_;
};

class World {
 public:
  static constexpr float kSize = 64;  // of the box, metres
  static constexpr float kCell = 2;   // of the grid: no sphere is wider
  static constexpr int kCells = 32;   // kSize / kCell

  World(std::size_t bodies, std::uint64_t seed);

  // Adds the tasks of one step after `after`; the returned task ends the step.
  Task *add_step(Graph &graph, float seconds, Task *after);

  std::size_t count() const { return position_.size(); }
  int contacts() const { return contacts_.load(); }
  std::uint64_t checksum() const;  // of all positions: equal for equal seeds and steps
  Vec position(std::size_t body) const { return position_[body]; }
  Vec velocity(std::size_t body) const { return position_[body] - previous_[body]; }
  float radius(std::size_t body) const { return radius_[body]; }
  void push(std::size_t body, Vec acceleration) { acceleration_[body] = acceleration; }

  // Calls visit(body) for every body in the cells around a point.
  template <class Visit>
  void near(Vec point, const Visit &visit) const {
    const int x = cell(point.x), y = cell(point.y), z = cell(point.z);
    for (int at = 0; at < 27; at++) {
      const int i = x + at % 3 - 1, j = y + at / 3 % 3 - 1, k = z + at / 9 - 1;
      if (i < 0 || j < 0 || k < 0 || i >= kCells || j >= kCells || k >= kCells) continue;
      const std::size_t here = index(i, j, k);
      for (std::uint32_t slot = starts_[here]; slot < starts_[here + 1]; slot++) visit(bodies_[slot]);
    }
  }

 private:
  static int cell(float x) {
    const int i = static_cast<int>(x / kCell);
    return i < 0 ? 0 : i < kCells ? i : kCells - 1;
  }
  static std::size_t index(int x, int y, int z) { return static_cast<std::size_t>((z * kCells + y) * kCells + x); }
  void integrate(std::size_t begin, std::size_t end, float seconds);
  void build_grid();
  void separate(std::size_t begin, std::size_t end);

  std::vector<Vec> position_, previous_, corrected_, acceleration_;
  std::vector<float> radius_;
  std::vector<std::uint32_t> starts_, bodies_;  // the grid: bodies sorted by cell
  std::atomic<int> contacts_{0};
};

#endif
