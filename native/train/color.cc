#include "train/color.h"

#include <algorithm>
#include <cmath>

namespace athanor {
namespace {

double grey_of(double red, double green, double blue) { return 0.2989 * red + 0.587 * green + 0.114 * blue; }

double blended(double value, double with, double factor) {
  return std::clamp(factor * value + (1 - factor) * with, 0.0, 1.0);
}

void change_contrast(std::span<double> x, Index channels, double factor) {
  const auto pixels = x.size() / static_cast<std::size_t>(channels);
  double sum = 0;
  if (channels == 3) {
    for (std::size_t i = 0; i < pixels; ++i) sum += grey_of(x[i], x[pixels + i], x[2 * pixels + i]);
  } else {
    for (const double value : x) sum += value / static_cast<double>(channels);
  }
  const double mean = sum / static_cast<double>(pixels);
  for (double& value : x) value = blended(value, mean, factor);
}

void turn_hue(double& red, double& green, double& blue, double turn) {
  const double most = std::max({red, green, blue}), least = std::min({red, green, blue}), range = most - least;
  if (range == 0) return;
  const double r = (most - red) / range, g = (most - green) / range, b = (most - blue) / range;
  const double sixth = most == red ? b - g : most == green ? 2 + r - b : 4 + g - r;
  double hue = sixth / 6 + turn;
  hue -= std::floor(hue);
  const double saturation = range / most, sector = std::floor(hue * 6), f = hue * 6 - sector;
  const double p = most * (1 - saturation), q = most * (1 - saturation * f), t = most * (1 - saturation * (1 - f));
  switch (static_cast<int>(sector) % 6) {
    case 0: red = most, green = t, blue = p; return;
    case 1: red = q, green = most, blue = p; return;
    case 2: red = p, green = most, blue = t; return;
    case 3: red = p, green = q, blue = most; return;
    case 4: red = t, green = p, blue = most; return;
    default: red = most, green = p, blue = q;
  }
}

void apply(ColorStep step, const ColorChange& change, std::span<double> x, Index channels) {
  const auto pixels = x.size() / static_cast<std::size_t>(channels);
  switch (step) {
    case ColorStep::brightness:
      if (change.brightness != 1)
        for (double& value : x) value = blended(value, 0, change.brightness);
      return;
    case ColorStep::contrast:
      if (change.contrast != 1) change_contrast(x, channels, change.contrast);
      return;
    case ColorStep::saturation:
      if (change.saturation == 1 || channels != 3) return;
      for (std::size_t i = 0; i < pixels; ++i) {
        const double grey = grey_of(x[i], x[pixels + i], x[2 * pixels + i]);
        for (std::size_t c = 0; c < 3; ++c) x[c * pixels + i] = blended(x[c * pixels + i], grey, change.saturation);
      }
      return;
    case ColorStep::hue:
      if (change.hue == 0 || channels != 3) return;
      for (std::size_t i = 0; i < pixels; ++i) turn_hue(x[i], x[pixels + i], x[2 * pixels + i], change.hue);
  }
}

}  // namespace

void change_colors(const ColorChange& change, std::span<double> x, Index channels) {
  for (const ColorStep step : change.order) apply(step, change, x, channels);
}

}  // namespace athanor
