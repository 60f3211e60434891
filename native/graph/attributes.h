// The attributes of every operation as typed fields, from the rows of graph/ops.def: attributes::matmul has trans_a and trans_b.
//   const auto at = attributes::matmul::of(node.attrs);            // what a node leaves out has the row's default
//   apply(Op::matmul, {a, b}, attributes::matmul{.trans_b = true});
// A field of a derived attribute is an optional. A name that no row has does not compile.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/attr_schema.h"
#include "graph/attrs.h"

namespace athanor::attributes {

template <AttrKind kind>
struct FieldOf;
template <>
struct FieldOf<AttrKind::flag> {
  using Type = bool;
};
template <>
struct FieldOf<AttrKind::integer> {
  using Type = Index;
};
template <>
struct FieldOf<AttrKind::real> {
  using Type = double;
};
template <>
struct FieldOf<AttrKind::text> {
  using Type = std::string;
};
template <>
struct FieldOf<AttrKind::dtype> {
  using Type = std::string;
};
template <>
struct FieldOf<AttrKind::list> {
  using Type = std::vector<Index>;
};

template <AttrKind kind, class Default>
struct Field {
  using Type = typename FieldOf<kind>::Type;
  static Type initial(const Default& value) {
    if constexpr (kind == AttrKind::list) {
      return Type(value.begin(), value.end());
    } else {
      return Type(value);
    }
  }
};
template <AttrKind kind>
struct Field<kind, Required> {
  using Type = typename FieldOf<kind>::Type;
  static Type initial(Required) { return {}; }
};
template <AttrKind kind>
struct Field<kind, Derived> {
  using Type = std::optional<typename FieldOf<kind>::Type>;
  static Type initial(Derived) { return std::nullopt; }
};

#define ATTR(name, kind, value, range)                                       \
  typename Field<AttrKind::kind, std::decay_t<decltype(value)>>::Type name = \
      Field<AttrKind::kind, std::decay_t<decltype(value)>>::initial(value);
#define ATHANOR_OP(name, arity, traits, pruning, flops, api, sentence, ...) \
  struct name {                                                             \
    __VA_ARGS__                                                             \
    static name of(const Attrs& attrs);                                     \
    operator Attrs() const;                                                 \
  };
#include "graph/ops.def"
#undef ATHANOR_OP
#undef ATTR

}  // namespace athanor::attributes
