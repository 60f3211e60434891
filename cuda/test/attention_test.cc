// Fused attention on the emulated device, forward and backward, beside softmax(q kᵀ) v in double: causal, both masks, grouped heads, rows
// that see nothing, packed strides, all widths of a lane.
#include <cmath>

#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

namespace {

enum class Hide { nothing, add, keep };

struct Heads {
  Index batch, heads, kv_heads, queries, keys, depth;
  bool causal;
  Index offset;
  Hide hide;
};

struct Reference {
  std::vector<double> y, lse, dq, dk, dv;
};

// All tensors [B, T, H, D]; mask [1, H, Tq, Tk].
Reference attend(const Heads& s, const std::vector<float>& q, const std::vector<float>& k, const std::vector<float>& v,
                 const std::vector<float>& dy, const std::vector<float>& add, const std::vector<std::uint8_t>& keep) {
  Reference out;
  out.y.resize(q.size()), out.dq.resize(q.size()), out.dk.resize(k.size()), out.dv.resize(v.size());
  const double scale = 1 / std::sqrt(static_cast<double>(s.depth));
  const auto at = [&](Index b, Index t, Index h, Index d, Index tokens, Index heads) {
    return static_cast<std::size_t>(((b * tokens + t) * heads + h) * s.depth + d);
  };
  for (Index b = 0; b < s.batch; ++b)
    for (Index h = 0; h < s.heads; ++h)
      for (Index i = 0; i < s.queries; ++i) {
        const Index hk = h / (s.heads / s.kv_heads);
        std::vector<double> p(static_cast<std::size_t>(s.keys));
        double max = -INFINITY, sum = 0, delta = 0;
        for (Index j = 0; j < s.keys; ++j) {
          double logit = 0;
          for (Index d = 0; d < s.depth; ++d)
            logit += static_cast<double>(q[at(b, i, h, d, s.queries, s.heads)]) *
                     static_cast<double>(k[at(b, j, hk, d, s.keys, s.kv_heads)]) * scale;
          const auto m = static_cast<std::size_t>((h * s.queries + i) * s.keys + j);
          if (s.hide == Hide::add) logit += static_cast<double>(add[m]);
          if ((s.hide == Hide::keep && keep[m] == 0) || (s.causal && j > i + s.offset)) logit = -INFINITY;
          p[static_cast<std::size_t>(j)] = logit;
          max = std::fmax(max, logit);
        }
        for (double& x : p) sum += x = max == -INFINITY ? 0 : std::exp(x - max);
        out.lse.push_back(sum == 0 ? -INFINITY : max + std::log(sum));
        if (sum == 0) continue;
        for (double& x : p) x /= sum;
        for (Index d = 0; d < s.depth; ++d) {
          double y = 0;
          for (Index j = 0; j < s.keys; ++j)
            y += p[static_cast<std::size_t>(j)] * static_cast<double>(v[at(b, j, hk, d, s.keys, s.kv_heads)]);
          out.y[at(b, i, h, d, s.queries, s.heads)] = y;
          delta += y * static_cast<double>(dy[at(b, i, h, d, s.queries, s.heads)]);
        }
        for (Index j = 0; j < s.keys; ++j) {
          double dp = 0;
          for (Index d = 0; d < s.depth; ++d)
            dp += static_cast<double>(dy[at(b, i, h, d, s.queries, s.heads)]) *
                  static_cast<double>(v[at(b, j, hk, d, s.keys, s.kv_heads)]);
          const double pj = p[static_cast<std::size_t>(j)], ds = pj * (dp - delta) * scale;
          for (Index d = 0; d < s.depth; ++d) {
            out.dq[at(b, i, h, d, s.queries, s.heads)] +=
                ds * static_cast<double>(k[at(b, j, hk, d, s.keys, s.kv_heads)]);
            out.dk[at(b, j, hk, d, s.keys, s.kv_heads)] +=
                ds * static_cast<double>(q[at(b, i, h, d, s.queries, s.heads)]);
            out.dv[at(b, j, hk, d, s.keys, s.kv_heads)] +=
                pj * static_cast<double>(dy[at(b, i, h, d, s.queries, s.heads)]);
          }
        }
      }
  return out;
}

template <class T>
AttentionView<T> view(float* data, Index tokens, Index heads, Index depth) {
  return {data, tokens * heads * depth, depth, heads * depth};
}

}  // namespace

TEST(attention_forward_and_backward) {
  const Heads cases[] = {{2, 2, 2, 37, 37, 16, true, 0, Hide::nothing}, {1, 4, 2, 20, 50, 40, false, 0, Hide::add},
                         {1, 2, 1, 33, 40, 70, true, 7, Hide::keep},    {1, 1, 1, 5, 3, 130, true, -2, Hide::nothing},
                         {1, 1, 1, 0, 4, 8, false, 0, Hide::nothing},   {1, 1, 1, 4, 0, 8, false, 0, Hide::nothing}};
  for (const Heads& s : cases) {
    const auto nq = static_cast<std::size_t>(s.batch * s.queries * s.heads * s.depth),
               nk = static_cast<std::size_t>(s.batch * s.keys * s.kv_heads * s.depth);
    const std::vector<float> q = numbers(nq, 1, 2), k = numbers(nk, 2, 2), v = numbers(nk, 3), dy = numbers(nq, 4);
    const auto nm = static_cast<std::size_t>(s.heads * s.queries * s.keys);
    std::vector<float> add = numbers(nm, 5);
    std::vector<std::uint8_t> keep(nm);
    for (std::size_t i = 0; i < nm; ++i) {
      keep[i] = (i * 2654435761u >> 7) % 3 != 0;
      if (i % 5 == 0) add[i] = -INFINITY;
      if (i / static_cast<std::size_t>(s.keys) == 3) keep[i] = 0;  // a row that sees nothing
    }
    const Reference wanted = attend(s, q, k, v, dy, add, keep);
    in_all_orders([&](const char* order) {
      const DeviceArray<float> gq(q), gk(k), gv(v), gdy(dy), gy(nq), lse(wanted.lse.size()), dq(nq), dk(nk), dv(nk),
          gadd(add);
      const DeviceArray<std::uint8_t> gkeep(keep);
      AttentionShape shape{s.batch,
                           s.heads,
                           s.kv_heads,
                           s.queries,
                           s.keys,
                           s.depth,
                           static_cast<float>(1 / std::sqrt(static_cast<double>(s.depth))),
                           s.causal,
                           s.offset};
      AttentionMask mask{s.hide == Hide::add ? gadd.data() : nullptr, s.hide == Hide::keep ? gkeep.data() : nullptr, 0,
                         s.queries * s.keys, s.keys};
      device::Attention args;
      args.args = {shape,
                   view<const float>(gq.data(), s.queries, s.heads, s.depth),
                   view<const float>(gk.data(), s.keys, s.kv_heads, s.depth),
                   view<const float>(gv.data(), s.keys, s.kv_heads, s.depth),
                   mask,
                   view<float>(gy.data(), s.queries, s.heads, s.depth),
                   lse.data()};
      CHECK(launch(plugin().launch.attention, args, "attention"));
      agree(gy.values(), wanted.y, 0, 3e-6, std::string("y, ") + order);
      agree(lse.values(), wanted.lse, 1e-6, 3e-6, std::string("lse, ") + order);
      device::AttentionGrad back;
      back.args = {shape,
                   args.args.q,
                   args.args.k,
                   args.args.v,
                   mask,
                   view<const float>(gy.data(), s.queries, s.heads, s.depth),
                   view<const float>(gdy.data(), s.queries, s.heads, s.depth),
                   lse.data(),
                   view<float>(dq.data(), s.queries, s.heads, s.depth),
                   view<float>(dk.data(), s.keys, s.kv_heads, s.depth),
                   view<float>(dv.data(), s.keys, s.kv_heads, s.depth)};
      CHECK(launch(plugin().launch.attention_grad, back, "attention_grad"));
      agree(dq.values(), wanted.dq, 0, 1e-5, std::string("dq, ") + order);
      agree(dk.values(), wanted.dk, 0, 1e-5, std::string("dk, ") + order);
      agree(dv.values(), wanted.dv, 0, 1e-5, std::string("dv, ") + order);
    });
  }
}
