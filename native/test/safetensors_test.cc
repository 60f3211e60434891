// safetensors against files of the reference implementation, and against damaged and hostile ones.
// Long because it holds a whole reference file and every way to damage one.
#include "io/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <optional>
#include <random>

#include "base/error.h"
#include "test/test.h"

namespace {
std::size_t allocated = 0;  // bytes asked for since it was last set to 0
}
void* operator new(std::size_t size) {
  allocated += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  allocated += size;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace athanor::io {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "athanor-safetensors-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) SKIP("no temporary folder");
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

void put(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

struct Text final : Sink {
  std::string bytes;
  void write(std::span<const std::byte> more) override {
    bytes.append(reinterpret_cast<const char*>(more.data()), more.size());
  }
};

SafetensorsReader open_reader(const std::string& path, std::optional<Fingerprint> expected = {}) {
  return SafetensorsReader::open({AT_FDCWD, path, path}, "artifact.load", expected);
}

std::string file_of(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

// What safetensors.numpy.save of version 0.8.0 makes of the tensors() below, byte by byte.
const std::string& reference_file() {
  static const std::string file = file_of(
      "{\"__metadata__\":{\"format\":\"np\"},\"double\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
      "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[8,8]},"
      "\"layer.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]},"
      "\"layer.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[16,40]},"
      "\"count\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[40,44]},"
      "\"bytes\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[44,47]},"
      "\"mask\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[47,50]}} ",
      std::string("\x18\x2d\x44\x54\xfb\x21\x09\x40"                  // π
                  "\x00\x00\x00\x3f\x00\x00\x80\xbe"                  // 0.5 -0.25
                  "\x00\x00\xc0\x3f\x00\x00\x00\xc0\x00\x00\x40\x40"  // 1.5 -2 3
                  "\x00\x00\x80\x40\x00\x00\xa0\x40\x00\x00\xc8\x40"  // 4 5 6.25
                  "\x07\x00\x00\x00\xff\x00\x01\x01\x00\x01",         // 7; 255 0 1; true false true
                  50));
  return file;
}

const double kDouble[] = {3.141592653589793};
const float kWeight[] = {1.5F, -2, 3, 4, 5, 6.25F};
const float kBias[] = {0.5F, -0.25F};
const std::int32_t kCount[] = {7};
const std::uint8_t kMask[] = {1, 0, 1};
const std::uint8_t kBytes[] = {255, 0, 1};

std::vector<TensorToWrite> tensors() {
  const auto data = [](const auto& array) { return std::as_bytes(std::span(array)); };
  return {{"layer.weight", StoredType::f32, {2, 3}, data(kWeight)},
          {"layer.bias", StoredType::f32, {2}, data(kBias)},
          {"double", StoredType::f64, {1}, data(kDouble)},
          {"count", StoredType::i32, {}, data(kCount)},
          {"mask", StoredType::boolean, {3}, data(kMask)},
          {"empty", StoredType::f32, {0, 4}, {}},
          {"bytes", StoredType::u8, {3}, data(kBytes)}};
}

std::string refusal(const std::string& file, Code code = Code::corrupt) {
  try {
    SafetensorsReader::parse(bytes_of(file), "w.safetensors", "artifact.load");
  } catch (const Error& error) {
    return error.code() == code ? error.what() : std::string("another code: ") + error.what();
  }
  return "taken";
}

std::string tensor(const char* dtype, const char* shape, const char* offsets, const char* name = "a") {
  return std::string("\"") + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

TEST(safetensors_writes_the_bytes_of_the_reference) {
  Text text;
  write_safetensors(text, tensors(), {{"format", "np"}}, "artifact.save");
  CHECK(text.bytes == reference_file());
}

TEST(safetensors_reads_the_reference) {
  const Folder folder;
  put(folder / "w.safetensors", reference_file());
  const SafetensorsReader from_file = open_reader(folder / "w.safetensors");
  const SafetensorsReader from_bytes = SafetensorsReader::parse(bytes_of(reference_file()), "w", "artifact.load");
  for (const SafetensorsReader* reader : {&from_file, &from_bytes}) {
    CHECK(reader->tensors().size() == 7 && reader->metadata() == (Metadata{{"format", "np"}}));
    CHECK(reader->find("layer.weigh") == nullptr && reader->find("z") == nullptr && reader->find("") == nullptr);
    for (const TensorToWrite& expected : tensors()) {
      const TensorEntry* entry = reader->find(expected.name);
      CHECK(entry && entry->type == expected.type && entry->shape == expected.shape);
      if (!entry) continue;
      std::vector<std::byte> data(static_cast<std::size_t>(entry->bytes));
      reader->read(*entry, data);
      CHECK(std::equal(data.begin(), data.end(), expected.data.begin(), expected.data.end()));
    }
  }
}

TEST(safetensors_refuses_with_a_sentence) {
  const std::string start = "artifact.load: \"w.safetensors\" is damaged: ";
  CHECK(refusal("") == start + "it has 0 bytes, fewer than the 8 that say how long its header is");
  CHECK(refusal(std::string(8, '\xff')) ==
        start + "its header claims 18,446,744,073,709,551,615 bytes, the file has 0 left");
  CHECK(refusal(file_of("{\"a\"")) ==
        start + "its header is not JSON (line 1, column 5: expected \":\", got the end of the text)");
  CHECK(refusal(file_of("[]")) == start + "its header is an array, expected an object");
  CHECK(refusal(
            file_of("{" + tensor("F32", "[1024,1024]", "[0,4194304]", "3.weight") + "}", std::string(1 << 20, 'x'))) ==
        start + "tensor \"3.weight\" claims 4,194,304 bytes, the file has 1,048,576 left");
  CHECK(refusal(file_of("{" + tensor("F32", "[2]", "[0,4]") + "}", "abcd")) ==
        start + "tensor \"a\" has 4 bytes between its data_offsets, its dtype and shape need 8");
  CHECK(refusal(file_of("{" + tensor("F32", "[4294967296,4294967296]", "[0,0]") + "}")) ==
        start + "tensor \"a\" has a shape with more elements than any memory holds");
  CHECK(refusal(file_of("{" + tensor("U8", "[2]", "[0,2]") + "," + tensor("U8", "[2]", "[1,3]", "b") + "}", "abc")) ==
        start + "tensor \"b\" overlaps the tensor before it by 1 bytes");
  CHECK(refusal(file_of("{" + tensor("U8", "[1]", "[1,2]") + "}", "ab")) ==
        start + "there is a hole of 1 bytes before tensor \"a\"");
  CHECK(refusal(file_of("{}", "ab")) == start + "it has 2 bytes after its last tensor");
  CHECK(refusal(file_of("{" + tensor("U8", "[1]", "[0,1]") + "," + tensor("U8", "[1]", "[0,1]") + "}", "a")) ==
        start + "its header is not JSON (line 1, column 1: the key \"a\" occurs twice in this object)");
  CHECK(refusal(file_of("{" + tensor("F4", "[2]", "[0,1]") + "}", "a"), Code::unsupported) ==
        "artifact.load: \"w.safetensors\": tensor \"a\" has the dtype \"F4\", which Athanor does not read");
}

TEST(safetensors_refuses) {
  for (const auto& [dtype, shape, offsets] : {std::tuple{"F99", "[1]", "[0,4]"},
                                              {"f32", "[1]", "[0,4]"},
                                              {"F32", "[-1]", "[0,4]"},
                                              {"F32", "[1.0]", "[0,4]"},
                                              {"F32", "1", "[0,4]"},
                                              {"F32", "[\"1\"]", "[0,4]"},
                                              {"F32", "[1]", "[4,0]"},
                                              {"F32", "[1]", "[-4,0]"},
                                              {"F32", "[1]", "[0]"},
                                              {"F32", "[1]", "[0,4,4]"},
                                              {"F32", "[1]", "{}"},
                                              {"F32", "[1]", "[0,4.0]"},
                                              {"F32", "[1]", "[9223372036854775803,9223372036854775807]"},
                                              {"F32", "[9223372036854775807]", "[0,4]"},
                                              {"F32", "[1]", "[0,1e0]"},
                                              {"F32", "[0]", "[5,5]"}}) {
    CHECK(refusal(file_of("{" + tensor(dtype, shape, offsets) + "}", "abcd")).starts_with("artifact.load: "));
  }
  for (const char* header : {"{\"a\":1}", "{\"a\":{}}", "{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}",
                             "{\"__metadata__\":[]}", "{\"__metadata__\":{\"a\":1}}", "null", "", "{} x",
                             "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"more\":1}}"}) {
    CHECK(refusal(file_of(header)).starts_with("artifact.load: "));
  }
  CHECK(refusal(file_of("{}")) == "taken");
  CHECK(refusal(file_of("{" + tensor("F32", "[0,9223372036854775807,9223372036854775807]", "[0,0]") + "}")) == "taken");
}

// Every prefix of a good file is refused; nothing ever makes it ask for memory out of proportion to the file.
TEST(safetensors_survives_truncation_and_mutation) {
  const std::string& base = reference_file();
  // Allowed: 60 bytes of parsed JSON and entries for each byte of the header, none of it because a number asks for it.
  const auto survives = [&](const std::string& file) {
    std::string sink;
    allocated = 0;
    try {
      const SafetensorsReader reader = SafetensorsReader::parse(bytes_of(file), "w", "artifact.load");
      for (const TensorEntry& entry : reader.tensors()) {
        unsigned sum = 0;
        for (const std::byte x : reader.view(entry)) sum += static_cast<unsigned>(x);
        CHECK(sum <= 255U * static_cast<unsigned>(entry.bytes));
      }
      CHECK(allocated < 60 * file.size() + 4096);
      return true;
    } catch (const Error& error) {
      CHECK(error.code() == Code::corrupt || error.code() == Code::unsupported);
      CHECK(allocated < 60 * file.size() + 4096);
      return false;
    }
  };
  for (std::size_t size = 0; size < base.size(); ++size) CHECK(!survives(base.substr(0, size)));
  std::mt19937 random(11);
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string file = base;
    for (unsigned i = 0; i <= random() % 3; ++i) {
      const std::size_t at = random() % file.size();
      switch (random() % 5) {
        case 0: file[at] = static_cast<char>(random()); break;
        case 1: file[random() % 8] = static_cast<char>(random()); break;
        case 2: file.erase(at, 1 + random() % 4); break;
        case 3: file.insert(at, 1, "0123456789[]{},:\" "[random() % 18]); break;
        default: file[at] = static_cast<char>('0' + random() % 10);
      }
      if (file.empty()) file = " ";
    }
    taken += survives(file);
  }
  CHECK(taken > 0);
}

TEST(safetensors_open_refuses_what_is_no_file) {
  const Folder folder;
  const auto code = [&](const std::string& path) {
    try {
      open_reader(path);
    } catch (const Error& error) {
      return error.code();
    }
    return Code::internal;
  };
  CHECK(code(folder / "none") == Code::io);
  CHECK(code(folder / ".") == Code::io);
  CHECK(::mkfifo((folder / "pipe").c_str(), 0600) == 0 && code(folder / "pipe") == Code::io);
  put(folder / "short", "1234567");
  CHECK(code(folder / "short") == Code::corrupt);
}

TEST(safetensors_file_that_shrinks_gives_an_error) {
  const Folder folder;
  const std::string path = folder / "w";
  put(path, reference_file());
  const SafetensorsReader reader = open_reader(path);
  CHECK(::truncate(path.c_str(), 480) == 0);
  std::byte data[24];
  CHECK_THROWS(reader.read(*reader.find("layer.weight"), data), Error);
}

TEST(safetensors_writer_refuses) {
  Text text;
  const auto refused = [&](std::vector<TensorToWrite> list, Metadata metadata = {}) {
    try {
      write_safetensors(text, std::move(list), std::move(metadata), "artifact.save");
    } catch (const Error& error) {
      return error.code() == Code::argument;
    }
    return false;
  };
  const auto data = std::as_bytes(std::span(kBias));
  CHECK(refused({{"a", StoredType::f32, {2}, data}, {"a", StoredType::u8, {8}, data}}));
  CHECK(refused({{"a", StoredType::f32, {3}, data}}));
  CHECK(refused({{"a", StoredType::f32, {-2}, data}}));
  CHECK(refused({{"__metadata__", StoredType::f32, {2}, data}}));
  CHECK(refused({{"\xff", StoredType::f32, {2}, data}}));
  CHECK(refused({}, {{"k", "1"}, {"k", "2"}}));
  CHECK(text.bytes.empty());
}

// Whatever is wrong with a file, the checksum tells that it is not the one that was saved.
TEST(safetensors_expected_file_is_the_one_that_was_saved) {
  const Folder folder;
  const std::string path = folder / "w", good = reference_file();
  XxHash64 hash;
  hash.update(bytes_of(good));
  const Fingerprint print{good.size(), hash.digest()};
  const auto sentence = [&](const std::string& file) -> std::string {
    put(path, file);
    try {
      open_reader(path, print).read_all();
    } catch (const Error& error) {
      return error.code() == Code::corrupt ? error.what() : std::string("another code: ") + error.what();
    }
    return "taken";
  };
  CHECK(sentence(good) == "taken");
  CHECK(sentence(good.substr(1))
            .ends_with("is damaged: it has " + std::to_string(good.size() - 1) + " bytes, " +
                       std::to_string(good.size()) + " were saved"));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string file = good;
      file[at] = static_cast<char>(file[at] ^ (1 << bit));
      CHECK(sentence(file).find("is damaged: its checksum is ") != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace athanor::io
