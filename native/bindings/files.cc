// Files of tensors, read and written off the event loop.
#include "bindings/files.h"

#include "base/error.h"
#include "bindings/values.h"
#include "io/safetensors.h"

namespace athanor::bindings {
namespace {

struct Reading {
  std::vector<io::TensorEntry> entries;
  std::vector<std::vector<std::byte>> data;
  io::Metadata metadata;
};

struct Writing {
  std::vector<io::TensorToWrite> tensors;
  io::Metadata metadata;
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

Napi::Object to_object(Napi::Env env, const Reading& reading) {
  Napi::Array tensors = Napi::Array::New(env, reading.entries.size());
  for (std::uint32_t i = 0; i < reading.entries.size(); ++i) {
    const io::TensorEntry& entry = reading.entries[i];
    Napi::Object tensor = Napi::Object::New(env);
    tensor.Set("name", entry.name);
    tensor.Set("dtype", type_name(entry.type));
    Napi::Array shape = Napi::Array::New(env);
    for (const Index extent : entry.shape) shape.Set(shape.Length(), static_cast<double>(extent));
    tensor.Set("shape", shape);
    tensor.Set("data", copied(env, reading.data[i].data(), reading.data[i].size()));
    tensors.Set(i, tensor);
  }
  Napi::Object metadata = Napi::Object::New(env);
  for (const auto& [key, value] : reading.metadata) metadata.Set(key, value);
  Napi::Object result = Napi::Object::New(env);
  result.Set("tensors", tensors);
  result.Set("metadata", metadata);
  return result;
}

}  // namespace

Napi::Value read_safetensors(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = to_text(info[0], "a path"), operation = to_text(info[1], "an operation");
    const auto reading = std::make_shared<Reading>();
    const auto cancelled = std::make_shared<std::atomic<bool>>(false);
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::quick, cancelled,
            [=] {
              const auto reader = io::SafetensorsReader::open(path, operation);
              reading->metadata = reader.metadata();
              for (const io::TensorEntry& entry : reader.tensors()) {
                std::vector<std::byte> bytes(static_cast<std::size_t>(entry.bytes));
                reader.read(entry, bytes);
                reading->entries.push_back(entry);
                reading->data.push_back(std::move(bytes));
              }
            },
            [reading](Napi::Env env) -> Napi::Value { return to_object(env, *reading); });
  });
}

Napi::Value write_safetensors(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = to_text(info[0], "a path"), operation = to_text(info[3], "an operation");
    const Napi::Array tensors = info[1].As<Napi::Array>();
    const auto writing = std::make_shared<Writing>();
    for (std::uint32_t i = 0; i < tensors.Length(); ++i) {
      const Napi::Object given = tensors.Get(i).As<Napi::Object>();
      io::TensorToWrite tensor;
      tensor.name = to_text(given.Get("name"), "a tensor's name");
      tensor.type = to_stored(to_text(given.Get("dtype"), "a tensor's element type"));
      for (const Index extent : to_shape(given.Get("shape"))) tensor.shape.push_back(extent);
      const Bytes bytes = to_bytes(given.Get("data"), "a tensor's data");
      tensor.data = {bytes.data, static_cast<std::size_t>(bytes.length)};
      writing->tensors.push_back(std::move(tensor));
    }
    const Napi::Object metadata = info[2].As<Napi::Object>();
    const Napi::Array keys = metadata.GetPropertyNames();
    for (std::uint32_t i = 0; i < keys.Length(); ++i) {
      const std::string key = keys.Get(i).ToString();
      writing->metadata.emplace_back(key, to_text(metadata.Get(key), "a metadata entry"));
    }
    writing->source = Napi::Persistent(tensors.As<Napi::Object>());
    const auto cancelled = std::make_shared<std::atomic<bool>>(false);
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::quick, cancelled,
            [=] { io::write_safetensors(path, writing->tensors, writing->metadata, operation); },
            [writing](Napi::Env env) -> Napi::Value {
              writing->source.Reset();
              return env.Undefined();
            });
  });
}

}  // namespace athanor::bindings
