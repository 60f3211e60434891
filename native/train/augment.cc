#include "train/augment.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/philox.h"

namespace athanor {
namespace {

// No stream of a program's random operations has this number.
constexpr std::uint32_t kStream = 0xA06'0001;

// What becomes of one image.
struct Draw {
  bool left_right, up_down;
  Index dy, dx;                    // y[i, j] = x[i + dy, j + dx]
  Index top, bottom, left, right;  // the square, clipped to the image
};

double unit(std::uint32_t word) { return static_cast<double>(word) * 0x1p-32; }

// A whole number from 0 to below n; n is a number of pixels, so that the bias of a product (n / 2^32) does not count.
Index below(std::uint32_t word, Index n) {
  return static_cast<Index>((std::uint64_t{word} * static_cast<std::uint64_t>(n)) >> 32);
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
  return made;
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
    change<T>(how, drawn, reinterpret_cast<const T*>(x) + row * each, reinterpret_cast<T*>(y) + row * each);
  });
}

}  // namespace

void augment_images(const Augmentation& how, const std::byte* x, std::byte* y, Parallel& parallel) {
  switch (how.dtype) {
    case DType::u8: return change_all<std::uint8_t>(how, x, y, parallel);
    case DType::f32: return change_all<float>(how, x, y, parallel);
    default: throw Error(Code::dtype, "data.augment: images are u8 or f32");
  }
}

}  // namespace athanor
