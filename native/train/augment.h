// Random changes of images between the disk and a step, off the event loop: rotated, mirrored, shifted, in other colours, with a square left
// out, in this order. What becomes of an image depends on (seed, epoch, index) alone, by Philox4x32-10, so that a run that goes on sees the images that it would have seen.
#pragma once
#include <cstdint>

#include "base/dtype.h"
#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

struct Augmentation {
  DType dtype = DType::u8;                       // u8 or f32
  Index rows = 0, C = 0, H = 0, W = 0;           // x and y: (rows, C, H, W)
  double flip_left_right = 0, flip_up_down = 0;  // how often
  Index pad = 0;      // shifted by up to so many pixels each way, as a crop of the padded image
  Index cutout = 0;   // side of a square that is left out, centred anywhere in the image
  double fill = 0;    // what padding, corners of a rotated image and square hold
  double rotate = 0;  // by up to so many degrees each way about the centre, between pixels by bilinear interpolation
  // Factors between 1 − b and 1 + b (from 0 on), and turns of the colour circle between −h and h (color.h); `bound` is the brightest value.
  double brightness = 0, contrast = 0, saturation = 0, hue = 0, bound = 255;
  std::uint64_t seed = 0, epoch = 0, first = 0;  // the image's number of the first row
};

// y ← changed x; they must not overlap. Throws Code::dtype for another element type.
void augment_images(const Augmentation& how, const std::byte* x, std::byte* y, Parallel& parallel);

}  // namespace athanor
