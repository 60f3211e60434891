// Reading: the header is parsed with the strict JSON reader, then every number in it is checked against the file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"
#include "base/json.h"
#include "base/sentence.h"
#include "io/safetensors.h"

namespace athanor::io {
namespace {

constexpr std::uint64_t kLongestHeader = 100'000'000;  // as in the reference implementation
constexpr std::size_t kLargestRead = std::size_t{1} << 30;
constexpr std::size_t kHashedAtOnce = std::size_t{1} << 18;  // still in the cache when the hash reads it

std::optional<StoredType> type_named(std::string_view name) {
  for (int i = 0; i < kStoredTypeCount; ++i)
    if (name == name_of(static_cast<StoredType>(i))) return static_cast<StoredType>(i);
  return std::nullopt;
}

// Types that the format has and this reader has not: parts of a byte, complex numbers.
bool is_known_elsewhere(std::string_view name) {
  constexpr std::string_view kNames[] = {"F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "C64"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

struct SafetensorsReader::File {
  int descriptor;
  explicit File(int of) : descriptor(of) {}
  ~File() { ::close(descriptor); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // 0, an errno, or -1 when the file ends before `to` is full.
  int read(std::span<std::byte> to, std::uint64_t offset) const {
    while (!to.empty()) {
      const ssize_t count =
          ::pread(descriptor, to.data(), std::min(to.size(), kLargestRead), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno;
      if (count == 0) return -1;
      to = to.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return 0;
  }
};

void SafetensorsReader::damaged(const std::string& what) const {
  throw Error(Code::corrupt, operation_ + ": " + quoted(name_) + " is damaged: " + what);
}

void SafetensorsReader::refuse(int error) const {
  throw Error(Code::io, operation_ + ": cannot read " + quoted(name_) + ": " + std::generic_category().message(error));
}

void SafetensorsReader::fill(std::span<std::byte> to, std::uint64_t offset) const {
  const int error = file_->read(to, offset);
  if (error > 0) refuse(error);
  if (error < 0) damaged("it became shorter while it was read");
}

SafetensorsReader SafetensorsReader::open(const FileAt& at, std::string operation,
                                          std::optional<Fingerprint> expected) {
  SafetensorsReader reader(at.shown, std::move(operation));
  // A pipe must not hold us up.
  const int descriptor = ::openat(at.folder, at.name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) reader.refuse(errno);
  reader.file_ = std::make_shared<const File>(descriptor);
  reader.expected_ = expected;
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) reader.refuse(errno);
  check(S_ISREG(status.st_mode), Code::io,
        [&] { return reader.operation_ + ": cannot read " + quoted(at.shown) + ": it is not a regular file"; });
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (expected && size != expected->bytes) {
    reader.damaged("it has " + grouped(size) + " bytes, " + grouped(expected->bytes) + " were saved");
  }
  try {
    reader.read_file_header(size);
  } catch (const Error& error) {
    if (!expected || error.code() == Code::io) throw;
    reader.verify();  // not as it was saved: that is what the user has to know, not what the damage made of the header
    throw;
  }
  return reader;
}

void SafetensorsReader::read_file_header(std::uint64_t size) {
  std::byte first[8];
  const auto available = std::span(first).first(static_cast<std::size_t>(std::min<std::uint64_t>(size, sizeof first)));
  fill(available, 0);
  const std::uint64_t length = header_length(available, size);
  std::string header(static_cast<std::size_t>(length), '\0');
  const auto bytes = std::as_writable_bytes(std::span(header));
  fill(bytes, 8);
  header_hash_.update(available);
  header_hash_.update(bytes);
  data_begin_ = 8 + length;
  read_header(header, size - data_begin_);
}

void SafetensorsReader::check_hash(const XxHash64& hash) const {
  if (expected_ && hash.digest() != expected_->hash) {
    damaged("its checksum is " + hexadecimal(hash.digest()) + ", not " + hexadecimal(expected_->hash) +
            " as it was saved");
  }
}

std::vector<std::unique_ptr<std::byte[]>> SafetensorsReader::read_all() const {
  XxHash64 hash = header_hash_;
  std::vector<std::unique_ptr<std::byte[]>> all;
  for (const TensorEntry& entry : tensors_) {
    const auto size = static_cast<std::size_t>(entry.bytes);
    std::byte* to = all.emplace_back(std::make_unique_for_overwrite<std::byte[]>(size)).get();
    for (std::size_t at = 0; at < size; at += kHashedAtOnce) {
      const auto part = std::span(to + at, std::min(kHashedAtOnce, size - at));
      fill(part, data_begin_ + static_cast<std::uint64_t>(entry.offset) + at);
      if (expected_) hash.update(part);
    }
  }
  check_hash(hash);
  return all;
}

void SafetensorsReader::verify() const {
  if (!expected_) return;
  XxHash64 hash;
  std::vector<std::byte> block(kHashedAtOnce);
  for (std::uint64_t at = 0; at < expected_->bytes; at += block.size()) {
    const auto part = std::span(block).first(std::min<std::size_t>(block.size(), expected_->bytes - at));
    fill(part, at);
    hash.update(part);
  }
  check_hash(hash);
}

SafetensorsReader SafetensorsReader::parse(std::span<const std::byte> file, std::string name, std::string operation) {
  SafetensorsReader reader(std::move(name), std::move(operation));
  const auto length = reader.header_length(file.first(std::min<std::size_t>(file.size(), 8)), file.size());
  const auto header = file.subspan(8, static_cast<std::size_t>(length));
  reader.data_ = file.subspan(static_cast<std::size_t>(reader.data_begin_ = 8 + length));
  reader.read_header({reinterpret_cast<const char*>(header.data()), header.size()}, reader.data_.size());
  return reader;
}

std::uint64_t SafetensorsReader::header_length(std::span<const std::byte> first, std::uint64_t file_size) const {
  if (first.size() < 8)
    damaged("it has " + grouped(file_size) + " bytes, fewer than the 8 that say how long its header is");
  std::uint64_t length = 0;
  std::memcpy(&length, first.data(), 8);
  if (length > file_size - 8) {
    damaged("its header claims " + grouped(length) + " bytes, the file has " + grouped(file_size - 8) + " left");
  }
  if (length > kLongestHeader) {
    damaged("its header claims " + grouped(length) + " bytes, at most " + grouped(kLongestHeader) + " are read");
  }
  return length;
}

namespace {

// One tensor of the header; `wrong` throws a sentence that goes on after the tensor's name.
template <class Wrong>
TensorEntry entry_of(const std::string& name, const Json& value, const Wrong& wrong) {
  TensorEntry entry{.name = name, .shape = {}};
  const Json *dtype = value.find("dtype"), *shape = value.find("shape"), *offsets = value.find("data_offsets");
  if (!value.object() || value.object()->size() != 3 || !dtype || !shape || !offsets) {
    wrong("must have exactly dtype, shape and data_offsets", Code::corrupt);
  }
  if (!dtype->string()) wrong(std::string("has ") + dtype->kind() + " as dtype, expected a string", Code::corrupt);
  const std::optional<StoredType> type = type_named(*dtype->string());
  if (!type) {
    wrong("has the dtype " + quoted(*dtype->string()) + ", which Athanor does not read",
          is_known_elsewhere(*dtype->string()) ? Code::unsupported : Code::corrupt);
  }
  entry.type = *type;
  if (!shape->array()) wrong(std::string("has ") + shape->kind() + " as shape, expected an array", Code::corrupt);
  entry.bytes = size_of(entry.type);
  bool empty = false;
  for (const Json& size : *shape->array()) {
    if (!size.integer() || *size.integer() < 0) wrong("has a shape that is not made of sizes", Code::corrupt);
    entry.shape.push_back(*size.integer());
    empty = empty || *size.integer() == 0;
  }
  for (const Index size : entry.shape) {
    if (empty || __builtin_mul_overflow(entry.bytes, size, &entry.bytes)) {
      if (!empty) wrong("has a shape with more elements than any memory holds", Code::corrupt);
      entry.bytes = 0;
    }
  }
  const Json::Array* pair = offsets->array();
  if (!pair || pair->size() != 2 || !(*pair)[0].integer() || !(*pair)[1].integer()) {
    wrong("has data_offsets that are not two whole numbers", Code::corrupt);
  }
  const Index begin = *(*pair)[0].integer(), end = *(*pair)[1].integer();
  if (begin < 0 || end < begin) {
    wrong("has the data_offsets [" + std::to_string(begin) + ", " + std::to_string(end) + "]", Code::corrupt);
  }
  entry.offset = begin;
  if (end - begin != entry.bytes) {
    wrong("has " + grouped(end - begin) + " bytes between its data_offsets, its dtype and shape need " +
              grouped(entry.bytes),
          Code::corrupt);
  }
  return entry;
}

}  // namespace

void SafetensorsReader::read_header(std::string_view header, std::uint64_t data_size) {
  Json root;
  try {
    root = parse_json(header);
  } catch (const Error& error) {
    damaged(std::string("its header is not JSON (") + error.what() + ")");
  }
  if (!root.object()) damaged(std::string("its header is ") + root.kind() + ", expected an object");
  for (const auto& [name, value] : *root.object()) {
    if (name == "__metadata__") {
      if (!value.object()) damaged(std::string("its __metadata__ is ") + value.kind() + ", expected an object");
      for (const auto& [key, text] : *value.object()) {
        if (!text.string())
          damaged("its __metadata__ has " + std::string(text.kind()) + " at " + quoted(key) + ", expected a string");
        metadata_.emplace_back(key, *text.string());
      }
      continue;
    }
    const auto wrong = [&, &name = name](const std::string& what, Code code) {
      const std::string where = operation_ + ": " + quoted(name_) + (code == Code::corrupt ? " is damaged: " : ": ");
      throw Error(code, where + "tensor " + quoted(name) + " " + what);
    };
    tensors_.push_back(entry_of(name, value, wrong));
    const TensorEntry& entry = tensors_.back();
    const auto begin = static_cast<std::uint64_t>(entry.offset), bytes = static_cast<std::uint64_t>(entry.bytes);
    const std::uint64_t left = data_size - std::min(begin, data_size);
    if (begin > data_size || bytes > left) {
      wrong("claims " + grouped(bytes) + " bytes, the file has " + grouped(left) + " left", Code::corrupt);
    }
  }
  check_layout(data_size);
  by_name_.resize(tensors_.size());
  for (std::uint32_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
  std::sort(by_name_.begin(), by_name_.end(), [&](auto a, auto b) { return tensors_[a].name < tensors_[b].name; });
}

void SafetensorsReader::check_layout(std::uint64_t data_size) {
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes != b.bytes ? a.bytes < b.bytes : a.name < b.name;
  });
  Index end = 0;
  for (const TensorEntry& entry : tensors_) {
    if (entry.offset < end)
      damaged("tensor " + quoted(entry.name) + " overlaps the tensor before it by " + grouped(end - entry.offset) +
              " bytes");
    if (entry.offset > end)
      damaged("there is a hole of " + grouped(entry.offset - end) + " bytes before tensor " + quoted(entry.name));
    end = entry.offset + entry.bytes;
  }
  if (const auto rest = data_size - static_cast<std::uint64_t>(end))
    damaged("it has " + grouped(rest) + " bytes after its last tensor");
}

const TensorEntry* SafetensorsReader::find(std::string_view name) const {
  const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                   [&](std::uint32_t i, std::string_view key) { return tensors_[i].name < key; });
  return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
}

void SafetensorsReader::read(const TensorEntry& entry, std::span<std::byte> to) const {
  check(to.size() == static_cast<std::size_t>(entry.bytes), Code::internal, [&] {
    return operation_ + ": tensor " + quoted(entry.name) + " has " + grouped(entry.bytes) +
           " bytes, the destination has " + grouped(std::uint64_t{to.size()});
  });
  if (!file_) {
    if (!to.empty()) std::memcpy(to.data(), view(entry).data(), to.size());
    return;
  }
  const int error = file_->read(to, data_begin_ + static_cast<std::uint64_t>(entry.offset));
  if (error < 0) damaged("it became shorter while tensor " + quoted(entry.name) + " was read");
  check(error == 0, Code::io,
        [&] { return operation_ + ": cannot read " + quoted(name_) + ": " + std::generic_category().message(error); });
}

std::span<const std::byte> SafetensorsReader::view(const TensorEntry& entry) const {
  check(!file_, Code::internal, [&] { return operation_ + ": only a parsed buffer has views"; });
  return data_.subspan(static_cast<std::size_t>(entry.offset), static_cast<std::size_t>(entry.bytes));
}

}  // namespace athanor::io
