#pragma once
class IModularFeature {
 public:
  virtual ~IModularFeature() = default;
};
