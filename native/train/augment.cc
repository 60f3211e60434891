#include "train/augment.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/philox.h"
#include "train/color.h"

namespace athanor {
namespace {

// No stream of a program's random operations has this number.
constexpr std::uint32_t kStream = 0xA06'0001;

// What becomes of one image.
struct Draw {
  bool left_right, up_down;
  Index dy, dx;                    // y[i, j] = x[i + dy, j + dx]
  Index top, bottom, left, right;  // the square, clipped to the image
  double sine, cosine;             // of the rotation, counter-clockwise
  ColorChange colors;
};

double unit(std::uint32_t word) { return static_cast<double>(word) * 0x1p-32; }

// A whole number from 0 to below n; n is a number of pixels, so that the bias of a product (n / 2^32) does not count.
Index below(std::uint32_t word, Index n) {
  return static_cast<Index>((std::uint64_t{word} * static_cast<std::uint64_t>(n)) >> 32);
}

double between(std::uint32_t word, double least, double most) { return least + unit(word) * (most - least); }

bool changes_colors(const Augmentation& how) {
  return how.brightness > 0 || how.contrast > 0 || how.saturation > 0 || how.hue > 0;
}

Draw draw(const Augmentation& how, std::uint64_t index) {
  const auto low = static_cast<std::uint32_t>(index), high = static_cast<std::uint32_t>(index >> 32);
  const auto epoch = static_cast<std::uint32_t>(how.epoch);
  const PhiloxBlock a = philox({{low, high, kStream, epoch}}, how.seed);
  const PhiloxBlock b = philox({{low, high, kStream + 1, epoch}}, how.seed);
  Draw made{};
  made.left_right = unit(a.words[0]) < how.flip_left_right;
  made.up_down = unit(a.words[1]) < how.flip_up_down;
  made.dy = below(a.words[2], 2 * how.pad + 1) - how.pad;
  made.dx = below(a.words[3], 2 * how.pad + 1) - how.pad;
  if (how.cutout > 0) {
    const Index top = below(b.words[0], how.H) - how.cutout / 2, left = below(b.words[1], how.W) - how.cutout / 2;
    made.top = std::max<Index>(top, 0), made.bottom = std::min(top + how.cutout, how.H);
    made.left = std::max<Index>(left, 0), made.right = std::min(left + how.cutout, how.W);
  }
  const double angle = between(b.words[2], -how.rotate, how.rotate) * std::numbers::pi / 180;
  made.sine = std::sin(angle), made.cosine = std::cos(angle);
  const PhiloxBlock c = philox({{low, high, kStream + 2, epoch}}, how.seed);
  const PhiloxBlock d = philox({{low, high, kStream + 3, epoch}}, how.seed);
  const auto factor = [](std::uint32_t word, double range) {
    return between(word, std::max(0.0, 1 - range), 1 + range);
  };
  ColorChange& colors = made.colors;
  colors.brightness = factor(c.words[0], how.brightness), colors.contrast = factor(c.words[1], how.contrast);
  colors.saturation = factor(c.words[2], how.saturation), colors.hue = between(c.words[3], -how.hue, how.hue);
  for (Index i = 3; i > 0; --i) std::swap(colors.order[i], colors.order[below(d.words[i], i + 1)]);
  return made;
}

// Pixel (i, j) of a rotated image; outside of the image it holds `fill`.
template <class T>
double rotated_pixel(const Augmentation& how, const Draw& draw, const T* plane, Index i, Index j) {
  const double cy = static_cast<double>(how.H - 1) / 2, cx = static_cast<double>(how.W - 1) / 2;
  const double dy = static_cast<double>(i) - cy, dx = static_cast<double>(j) - cx;
  const double y = cy + draw.sine * dx + draw.cosine * dy, x = cx + draw.cosine * dx - draw.sine * dy;
  const double top = std::floor(y), left = std::floor(x), fy = y - top, fx = x - left;
  const auto at = [&](double row, double column) {
    const bool is_inside =
        row >= 0 && row < static_cast<double>(how.H) && column >= 0 && column < static_cast<double>(how.W);
    return is_inside ? static_cast<double>(plane[static_cast<Index>(row) * how.W + static_cast<Index>(column)])
                     : how.fill;
  };
  return (1 - fy) * ((1 - fx) * at(top, left) + fx * at(top, left + 1)) +
         fy * ((1 - fx) * at(top + 1, left) + fx * at(top + 1, left + 1));
}

// The same changes pixel by pixel in f64, rounded once: where an image is rotated, or its colours change.
template <class T>
void change_finely(const Augmentation& how, const Draw& draw, const T* x, T* y) {
  const auto plane = static_cast<std::size_t>(how.H * how.W);
  std::vector<double> image(static_cast<std::size_t>(how.C) * plane);
  for (Index c = 0; c < how.C; ++c) {
    for (Index i = 0; i < how.H; ++i) {
      for (Index j = 0; j < how.W; ++j) {
        const Index row = (draw.up_down ? how.H - 1 - i : i) + draw.dy,
                    column = (draw.left_right ? how.W - 1 - j : j) + draw.dx;
        double& pixel = image[static_cast<std::size_t>((c * how.H + i) * how.W + j)];
        const bool is_inside = row >= 0 && row < how.H && column >= 0 && column < how.W;
        const T* from = x + static_cast<std::size_t>(c) * plane;
        if (!is_inside)
          pixel = how.fill;
        else if (how.rotate > 0)
          pixel = rotated_pixel(how, draw, from, row, column);
        else
          pixel = static_cast<double>(from[row * how.W + column]);
      }
    }
  }
  if (changes_colors(how)) {
    for (double& pixel : image) pixel /= how.bound;
    change_colors(draw.colors, image, how.C);
    for (double& pixel : image) pixel *= how.bound;
  }
  for (std::size_t k = 0; k < image.size(); ++k) {
    const auto i = static_cast<Index>(k % plane) / how.W, j = static_cast<Index>(k % plane) % how.W;
    const bool is_out = i >= draw.top && i < draw.bottom && j >= draw.left && j < draw.right;
    const double value = is_out ? how.fill : image[k];
    y[k] = static_cast<T>(std::is_integral_v<T> ? std::floor(value + 0.5) : value);
  }
}

template <class T>
void change(const Augmentation& how, const Draw& draw, const T* x, T* y) {
  const T fill = static_cast<T>(how.fill);
  for (Index c = 0; c < how.C; ++c) {
    const T* plane = x + c * how.H * how.W;
    for (Index i = 0; i < how.H; ++i, y += how.W) {
      const Index from = (draw.up_down ? how.H - 1 - i : i) + draw.dy;
      if (from < 0 || from >= how.H) {
        std::fill(y, y + how.W, fill);
        continue;
      }
      // Columns [begin, end) of the row come from inside of the image.
      const T* row = plane + from * how.W;
      if (!draw.left_right) {
        const Index begin = std::clamp<Index>(-draw.dx, 0, how.W), end = std::clamp<Index>(how.W - draw.dx, 0, how.W);
        std::fill(y, y + begin, fill);
        if (end > begin)
          std::memcpy(y + begin, row + begin + draw.dx, static_cast<std::size_t>(end - begin) * sizeof(T));
        std::fill(y + std::max(begin, end), y + how.W, fill);
      } else {
        for (Index j = 0; j < how.W; ++j) {
          const Index at = how.W - 1 - j + draw.dx;
          y[j] = at >= 0 && at < how.W ? row[at] : fill;
        }
      }
      if (i >= draw.top && i < draw.bottom && draw.right > draw.left) std::fill(y + draw.left, y + draw.right, fill);
    }
  }
}

template <class T>
void change_all(const Augmentation& how, const std::byte* x, std::byte* y, Parallel& parallel) {
  const Index each = how.C * how.H * how.W;
  parallel.run(static_cast<int>(how.rows), [&](int row, int) {
    const Draw drawn = draw(how, how.first + static_cast<std::uint64_t>(row));
    const T* from = reinterpret_cast<const T*>(x) + row * each;
    T* to = reinterpret_cast<T*>(y) + row * each;
    if (how.rotate > 0 || changes_colors(how))
      change_finely<T>(how, drawn, from, to);
    else
      change<T>(how, drawn, from, to);
  });
}

}  // namespace

void augment_images(const Augmentation& how, const std::byte* x, std::byte* y, Parallel& parallel) {
  switch (how.dtype) {
    case DType::u8: return change_all<std::uint8_t>(how, x, y, parallel);
    case DType::f32: return change_all<float>(how, x, y, parallel);
    case DType::f64:
    case DType::i32:
    case DType::boolean:
    case DType::bf16: break;
  }
  throw Error(Code::dtype, "data.augment: images are u8 or f32");
}

}  // namespace athanor
