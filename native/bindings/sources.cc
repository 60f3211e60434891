// What a source of samples does natively while a run goes on, in a lane of its own: neither steps nor predictions wait for it.
#include "bindings/sources.h"

#include <memory>

#include "base/error.h"
#include "bindings/values.h"
#include "runtime/thread_pool.h"
#include "train/augment.h"
#include "train/blend.h"
#include "train/tokens.h"

namespace athanor::bindings {
namespace {

// Bytes that become an ArrayBuffer, without a copy where there are many.
struct Result {
  explicit Result(std::size_t bytes) : data(new std::byte[bytes]), size(bytes) {}
  std::unique_ptr<std::byte[]> data;
  std::size_t size;
};

Napi::Value handed_over(Napi::Env env, Result& result) {
  const auto free = [](napi_env, void* data, void*) { delete[] static_cast<std::byte*>(data); };
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, result.data.get(), result.size, free, nullptr, &buffer) != napi_ok) {
    return copied(env, result.data.get(),
                  result.size);  // runtimes that keep all memory of JavaScript in a cage of their own
  }
  result.data.release();
  return Napi::Value(env, buffer);
}

double real_of(const Napi::Object& given, const char* name) { return to_real(given.Get(name), name); }

std::uint64_t count_of(const Napi::Object& given, const char* name) {
  return static_cast<std::uint64_t>(to_index(given.Get(name), name));
}

}  // namespace

Napi::Value augment_images(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Shape shape = to_shape(info[1]);
    check(shape.rank() == 4, Code::shape, [] { return "data.augment: expected images [n, C, H, W]"; });
    const bool is_bytes = info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
    const Type type{is_bytes ? DType::u8 : DType::f32, shape};
    const std::byte* x = to_bytes_of(info[0], type, "data.augment");
    const Napi::Object given = info[2].As<Napi::Object>();
    Augmentation how;
    how.dtype = type.dtype;
    how.rows = shape[0], how.C = shape[1], how.H = shape[2], how.W = shape[3];
    how.flip_left_right = real_of(given, "flipLeftRight"), how.flip_up_down = real_of(given, "flipUpDown");
    how.pad = to_index(given.Get("pad"), "pad"), how.cutout = to_index(given.Get("cutout"), "cutout");
    how.fill = real_of(given, "fill"), how.rotate = real_of(given, "rotate"), how.bound = real_of(given, "bound");
    how.brightness = real_of(given, "brightness"), how.contrast = real_of(given, "contrast");
    how.saturation = real_of(given, "saturation"), how.hue = real_of(given, "hue");
    how.seed = count_of(given, "seed"), how.epoch = count_of(given, "epoch"), how.first = count_of(given, "first");
    const auto held = std::make_shared<Napi::ObjectReference>(Napi::Persistent(info[0].As<Napi::Object>()));
    const auto result = std::make_shared<Result>(static_cast<std::size_t>(type.bytes()));
    return Environment::of(env).submit(
        Environment::Lane::data, std::make_shared<std::atomic<bool>>(false),
        [how, x, result] { athanor::augment_images(how, x, result->data.get(), *pool()); },
        [result, held](Napi::Env same) -> Napi::Value {
          held->Reset();
          return handed_over(same, *result);
        });
  });
}

Napi::Value blend_samples(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Shape shape = to_shape(info[1]);
    check(shape.rank() == 4, Code::shape, [] { return "data.mixup: expected samples [n, C, H, W]"; });
    const bool is_bytes = info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
    const Napi::Object given = info[3].As<Napi::Object>();
    Blend how;
    how.dtype = is_bytes ? DType::u8 : DType::f32;
    how.rows = shape[0], how.C = shape[1], how.H = shape[2], how.W = shape[3];
    how.targets = to_index(given.Get("targets"), "targets");
    how.is_cut = given.Get("isCut").ToBoolean(), how.alpha = real_of(given, "alpha"),
    how.share = real_of(given, "share");
    how.seed = count_of(given, "seed"), how.epoch = count_of(given, "epoch"), how.first = count_of(given, "first");
    const Type type{how.dtype, shape}, target_type{DType::f32, Shape{how.rows, how.targets}};
    const std::byte* x = to_bytes_of(info[0], type, "data.mixup");
    const auto* y = reinterpret_cast<const float*>(to_bytes_of(info[2], target_type, "data.mixup"));
    const auto held = std::make_shared<Napi::ObjectReference>(Napi::Persistent(info[0].As<Napi::Object>()));
    const auto held_y = std::make_shared<Napi::ObjectReference>(Napi::Persistent(info[2].As<Napi::Object>()));
    const auto result = std::make_shared<Result>(static_cast<std::size_t>(type.bytes()));
    const auto targets = std::make_shared<Result>(static_cast<std::size_t>(target_type.bytes()));
    return Environment::of(env).submit(
        Environment::Lane::data, std::make_shared<std::atomic<bool>>(false),
        [how, x, y, result, targets] {
          athanor::blend_samples(how, x, y, result->data.get(), reinterpret_cast<float*>(targets->data.get()), *pool());
        },
        [result, targets, held, held_y](Napi::Env same) -> Napi::Value {
          held->Reset(), held_y->Reset();
          Napi::Object both = Napi::Object::New(same);
          both["x"] = handed_over(same, *result);
          both["y"] = handed_over(same, *targets);
          return both;
        });
  });
}

Napi::Value read_windows(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    TokenFile file{static_cast<int>(to_index(info[0], "an open file")), static_cast<int>(to_index(info[1], "a size")),
                   to_text(info[4], "a path")};
    const std::vector<double> starts = to_reals(info[2], "starts");
    const Index length = to_index(info[3], "a length");
    const std::string operation = to_text(info[5], "an operation");
    const auto result = std::make_shared<Result>(starts.size() * static_cast<std::size_t>(length) * 4);
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::data, std::make_shared<std::atomic<bool>>(false),
            [=] {
              auto* out = reinterpret_cast<std::int32_t*>(result->data.get());
              athanor::read_windows(file, starts, length, out, operation, *pool());
            },
            [result](Napi::Env env) -> Napi::Value { return handed_over(env, *result); });
  });
}

}  // namespace athanor::bindings
