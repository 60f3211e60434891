// A non-owning view of a callable: two words, no allocation. Valid only while the callable lives.
// Every member is forced inline, so that a unit compiled for a wide instruction set never exports one.
#pragma once
#include <type_traits>
#include <utility>

namespace athanor {

template <class Signature>
class FunctionRef;

template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
  [[gnu::always_inline]] FunctionRef(F&& callable)
      : object_(const_cast<void*>(static_cast<const void*>(&callable))), call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}

  [[gnu::always_inline]] R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

}  // namespace athanor
