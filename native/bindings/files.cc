// Files of artifacts, read and written off the event loop.
#include "bindings/files.h"

#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "bindings/values.h"
#include "io/artifact_folder.h"
#include "io/safetensors.h"

namespace athanor::bindings {
namespace {

struct Reading {
  std::vector<io::TensorEntry> entries;
  std::vector<std::unique_ptr<std::byte[]>> data;
};

struct Writing {
  io::Artifact artifact;
  Napi::ObjectReference source;  // keeps the arrays alive; touched on the JavaScript thread only
};

// The engine's name of an element type where it has one ("f32"), else the file's ("I8"): raw bytes.
std::string type_name(io::StoredType type) {
  const auto dtype = io::dtype_of(type);
  return dtype ? athanor::name_of(*dtype) : io::name_of(type);
}

io::StoredType to_stored(const std::string& name) {
  for (int i = 0; i < io::kStoredTypeCount; ++i) {
    const auto type = static_cast<io::StoredType>(i);
    if (name == type_name(type)) return type;
  }
  throw Error(Code::argument, "safetensors: there is no element type \"" + name + "\"");
}

// An ArrayBuffer of the bytes, without a copy where there are many: a copy of 100 MB holds up the event loop for 50 ms.
Napi::Value handed_over(Napi::Env env, std::unique_ptr<std::byte[]> bytes, std::size_t size) {
  constexpr std::size_t kWorthIt = std::size_t{1} << 16;
  if (size < kWorthIt) return copied(env, bytes.get(), size);
  const auto free = [](napi_env, void* data, void*) { delete[] static_cast<std::byte*>(data); };
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, bytes.get(), size, free, nullptr, &buffer) != napi_ok) {
    return copied(env, bytes.get(), size);  // runtimes that keep all memory of JavaScript in a cage of their own
  }
  bytes.release();
  return Napi::Value(env, buffer);
}

Napi::Array to_array(Napi::Env env, Reading& reading) {
  Napi::Array tensors = Napi::Array::New(env, reading.entries.size());
  for (std::uint32_t i = 0; i < reading.entries.size(); ++i) {
    const io::TensorEntry& entry = reading.entries[i];
    Napi::Object tensor = Napi::Object::New(env);
    tensor.Set("name", entry.name);
    tensor.Set("dtype", type_name(entry.type));
    Napi::Array shape = Napi::Array::New(env);
    for (const Index extent : entry.shape) shape.Set(shape.Length(), static_cast<double>(extent));
    tensor.Set("shape", shape);
    tensor.Set("data", handed_over(env, std::move(reading.data[i]), static_cast<std::size_t>(entry.bytes)));
    tensors.Set(i, tensor);
  }
  return tensors;
}

io::FileAt to_file_at(const Napi::CallbackInfo& info) {
  return {static_cast<int>(to_index(info[0], "an open folder")), to_text(info[1], "a file's name"),
          to_text(info[2], "a path")};
}

std::optional<io::Fingerprint> to_fingerprint(Napi::Value value) {
  if (!value.IsObject()) return std::nullopt;
  const Napi::Object given = value.As<Napi::Object>();
  const std::string hash = to_text(given.Get("xxh64"), "a hash");
  return io::Fingerprint{static_cast<std::uint64_t>(to_index(given.Get("bytes"), "a length")),
                         std::strtoull(hash.c_str(), nullptr, 16)};
}

}  // namespace

Napi::Value xxh64(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Bytes bytes = to_bytes(info[0], "bytes");
    io::XxHash64 hash;
    hash.update({bytes.data, static_cast<std::size_t>(bytes.length)});
    return Napi::String::New(info.Env(), io::hexadecimal(hash.digest()));
  });
}

Napi::Value read_graph(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const io::FileAt at = to_file_at(info);
    const std::string operation = to_text(info[3], "an operation");
    const auto most = static_cast<std::uint64_t>(to_index(info[4], "a length"));
    const auto bytes = std::make_shared<std::vector<std::byte>>();
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::quick, std::make_shared<std::atomic<bool>>(false),
            [=] { *bytes = io::read_graph(at, most, operation); },
            [bytes](Napi::Env env) -> Napi::Value { return copied(env, bytes->data(), bytes->size()); });
  });
}

Napi::Value read_safetensors(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const io::FileAt at = to_file_at(info);
    const std::string operation = to_text(info[3], "an operation");
    const std::optional<io::Fingerprint> expected = to_fingerprint(info[4]);
    const auto reading = std::make_shared<Reading>();
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::quick, std::make_shared<std::atomic<bool>>(false),
            [=] {
              const auto reader = io::SafetensorsReader::open(at, operation, expected);
              reading->data = reader.read_all();
              reading->entries = reader.tensors();
            },
            [reading](Napi::Env env) -> Napi::Value { return to_array(env, *reading); });
  });
}

Napi::Value write_artifact(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string place = to_text(info[0], "a path"), operation = to_text(info[3], "an operation");
    const Napi::Array tensors = info[2].As<Napi::Array>();
    const auto writing = std::make_shared<Writing>();
    writing->artifact.graph = to_text(info[1], "a graph");
    for (std::uint32_t i = 0; i < tensors.Length(); ++i) {
      const Napi::Object given = tensors.Get(i).As<Napi::Object>();
      io::TensorToWrite tensor;
      tensor.name = to_text(given.Get("name"), "a tensor's name");
      tensor.type = to_stored(to_text(given.Get("dtype"), "a tensor's element type"));
      for (const Index extent : to_shape(given.Get("shape"))) tensor.shape.push_back(extent);
      const Bytes bytes = to_bytes(given.Get("data"), "a tensor's data");
      tensor.data = {bytes.data, static_cast<std::size_t>(bytes.length)};
      writing->artifact.tensors.push_back(std::move(tensor));
    }
    writing->source = Napi::Persistent(tensors.As<Napi::Object>());
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::quick, std::make_shared<std::atomic<bool>>(false),
            [=] { io::write_artifact(place, writing->artifact, operation); },
            [writing](Napi::Env env) -> Napi::Value {
              writing->source.Reset();
              return env.Undefined();
            });
  });
}

}  // namespace athanor::bindings
