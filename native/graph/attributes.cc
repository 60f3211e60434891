#include "graph/attributes.h"

namespace athanor::attributes {
namespace {

template <class T>
void read(const Attrs& attrs, const char* name, T& field) {
  if (!attrs.has(name)) return;
  if constexpr (std::is_same_v<T, bool>) {
    field = attrs.flag(name);
  } else if constexpr (std::is_same_v<T, Index>) {
    field = attrs.integer(name);
  } else if constexpr (std::is_same_v<T, double>) {
    field = attrs.real(name);
  } else if constexpr (std::is_same_v<T, std::string>) {
    field = attrs.text(name);
  } else {
    field = attrs.list(name);
  }
}

template <class T>
void read(const Attrs& attrs, const char* name, std::optional<T>& field) {
  if (attrs.has(name)) read(attrs, name, field.emplace());
}

template <class T>
void write(Attrs& attrs, const char* name, const T& field) {
  attrs.set(name, field);
}
template <class T>
void write(Attrs& attrs, const char* name, const std::optional<T>& field) {
  if (field) attrs.set(name, *field);
}

}  // namespace

#define ATTR(name, kind, value, range) read(attrs, #name, fields.name);
#define ATHANOR_OP(name, arity, traits, pruning, flops, api, sentence, ...) \
  name name::of([[maybe_unused]] const Attrs& attrs) {                      \
    name fields;                                                            \
    __VA_ARGS__                                                             \
    return fields;                                                          \
  }
#include "graph/ops.def"
#undef ATHANOR_OP
#undef ATTR

#define ATTR(name, kind, value, range) write(attrs, #name, this->name);
#define ATHANOR_OP(name, arity, traits, pruning, flops, api, sentence, ...) \
  name::operator Attrs() const {                                            \
    Attrs attrs;                                                            \
    __VA_ARGS__                                                             \
    return attrs;                                                           \
  }
#include "graph/ops.def"
#undef ATHANOR_OP
#undef ATTR

}  // namespace athanor::attributes
