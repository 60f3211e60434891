// Colour jitter: brightness, contrast, saturation and hue of one image, by torchvision's formulas (functional_tensor, 0.15) in f64, in a
// given order, on values from 0 to 1.
#pragma once
#include <span>

#include "base/index.h"

namespace athanor {

enum class ColorStep { brightness, contrast, saturation, hue };

struct ColorChange {
  double brightness = 1, contrast = 1, saturation = 1;  // factors; 1 changes nothing
  double hue = 0;                                       // turns of the colour circle
  ColorStep order[4] = {ColorStep::brightness, ColorStep::contrast, ColorStep::saturation, ColorStep::hue};
};

// x (C, H, W), 0 … 1, in place. Saturation and hue change images of three channels alone.
void change_colors(const ColorChange& change, std::span<double> x, Index channels);

}  // namespace athanor
